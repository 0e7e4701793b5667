#!/usr/bin/env python3
"""Adds up GoogleTest and pytest XML reports of a folder and prints "N passed, N failed, N skipped".

What failed comes before that line, so that the end of a long log names it. Exits 1 when a test
failed, a report is broken, or no test ran.
"""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

SHOWN = 10
SHOWN_CHARACTERS = 2000


def count(folder):
    passed = failed = skipped = 0
    failures = []
    for report in sorted(pathlib.Path(folder).glob("*.xml")):
        try:
            cases = list(ElementTree.parse(report).iter("testcase"))
        except ElementTree.ParseError as error:
            print(f"{report}: {error}", file=sys.stderr)
            failed += 1
            continue
        for case in cases:
            failure = next((f for f in case if f.tag in ("failure", "error")), None)
            if failure is not None:
                failed += 1
                name = f"{case.get('classname')}.{case.get('name')}"
                failures.append((name, failure.text or failure.get("message") or ""))
            elif case.find("skipped") is not None or case.get("status") == "notrun":
                skipped += 1
            else:
                passed += 1
    return passed, failed, skipped, failures


if __name__ == "__main__":
    passed, failed, skipped, failures = count(sys.argv[1])
    for name, text in failures[:SHOWN]:
        print(f"{name}\n{text.strip()[-SHOWN_CHARACTERS:]}\n")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed else 0)
