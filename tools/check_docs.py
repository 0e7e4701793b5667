#!/usr/bin/env python3
"""Checks that the documents agree with the tree. Prints one line per offence; exits 1 on any.

  check_docs.py                                        what the sources alone tell
  check_docs.py --gateway PROGRAM --node PROGRAM       docs/settings.md too
  check_docs.py --gateway PROGRAM --node PROGRAM --write-settings    prints the tables of docs/settings.md anew
"""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
GROUPS = ("common", "transfer", "metadata", "identity", "cluster", "jobs", "gateway", "storage-node", "deploy", "tests")  # Their folders are inner folders.
SINGLE = ("transfer", "jobs", "kms", "s3_client", "bench", "cli", "cmake", "docs", "migrations", "proto", "tools")
SKIPPED = {"build", ".git", ".cache", "__pycache__", ".pytest_cache"}
README_LINES = range(20, 61)
TEXT = {".h", ".hpp", ".cc", ".md", ".py", ".sh", ".sql", ".proto", ".txt", ".cmake", ".yaml", ".yml", ".json", ".html", ".js"}
LEFT_TO_DO = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")


def read(relative):
    return (ROOT / relative).read_text(encoding="utf-8")


def files(folder="."):
    for path in sorted((ROOT / folder).rglob("*")):
        relative = path.relative_to(ROOT)
        if path.is_file() and not SKIPPED & set(relative.parts):
            yield relative


def inner_folders():
    for group in GROUPS:
        for path in sorted((ROOT / group).iterdir()):
            if path.is_dir() and path.name not in SKIPPED and any(files(path.relative_to(ROOT))):
                yield f"{group}/{path.name}"
    yield from (name for name in SINGLE if (ROOT / name).is_dir())


def check_readmes():
    for folder in inner_folders():
        readme = ROOT / folder / "README.md"
        if not readme.exists():
            yield f"{folder}: no README.md"
            continue
        lines = readme.read_text(encoding="utf-8").splitlines()
        if lines[:1] != [f"# {folder}"]:
            yield f"{folder}/README.md: the first line must be '# {folder}'"
        if len(lines) not in README_LINES:
            yield f"{folder}/README.md: {len(lines)} lines; {README_LINES.start} to {README_LINES.stop - 1} are wanted"


def check_architecture():
    named = set(re.findall(r"^\| `([^`]+)/` \|", read("ARCHITECTURE.md"), re.M))
    folders = set(inner_folders())
    for folder in sorted(folders - named):
        yield f"ARCHITECTURE.md: the folder table lacks {folder}/"
    for folder in sorted(named - folders):
        yield f"ARCHITECTURE.md: there is no folder {folder}/"


def check_decisions():
    pages = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    for number, page in enumerate(pages, 1):
        if not page.name.startswith(f"{number:04}-"):
            yield f"docs/adr/{page.name}: {number:04} is missing or there twice"
        text = page.read_text(encoding="utf-8")
        for heading in ("Context", "Decision", "Consequences", "Status"):
            if f"\n## {heading}\n" not in text:
                yield f"docs/adr/{page.name}: no section '{heading}'"
        if f"adr/{page.name})" not in read("ARCHITECTURE.md"):
            yield f"ARCHITECTURE.md: no link to docs/adr/{page.name}"


def check_links():
    for relative in files():
        if relative.suffix not in TEXT:
            continue
        text = read(relative)
        if relative.suffix == ".md":
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"[a-z]+:|#", target):
                    continue
                if not (ROOT / relative.parent / target.split("#")[0]).exists():
                    yield f"{relative}: the link {target} leads nowhere"
        for target in re.findall(r"\bdocs/[\w./-]+\.md\b", text):
            if not (ROOT / target).exists():
                yield f"{relative}: names {target}, which is not there"


def check_nothing_left():
    for relative in files():
        if relative.suffix in TEXT:
            for number, line in enumerate(read(relative).splitlines(), 1):
                if LEFT_TO_DO.search(line):
                    yield f"{relative}:{number}: {line.strip()[:80]}"


def operations():
    """The rows of the table, by name: which function answers, or nullptr."""
    rows = re.findall(r"^RONDEL_S3_OPERATION\((\w+),(.*?)\)$", read("gateway/s3/operation_list.h"), re.M | re.S)
    return {name: columns.rsplit(",", 1)[-1].strip() for name, columns in rows}


def test_exists(name):
    """`file.function` of a Python test, `Suite.Name` of a GoogleTest."""
    first, second = name.split(".", 1)
    for path in (ROOT / "tests").rglob(f"{first}.py"):
        if re.search(rf"^\s*def {re.escape(second)}\(", path.read_text(encoding="utf-8"), re.M):
            return True
    pattern = re.compile(rf"TEST(?:_F|_P)?\(\s*{re.escape(first)},\s*{re.escape(second)}\)")
    return any(pattern.search(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").rglob("*_test.cc"))


def check_compatibility():
    page = "docs/s3-compatibility.md"
    rows = {}
    for name, status, rest in re.findall(r"^\| ([A-Z]\w+) \| (yes|partly|fixed answer|no) \| (.*) \|$", read(page), re.M):
        if name in rows:
            yield f"{page}: {name} is there twice"
        rows[name] = status
        for test in re.findall(r"`(\w+\.\w+)`", rest.rsplit("|", 1)[-1]):
            if not test_exists(test):
                yield f"{page}: {name} names the test {test}, which is not there"
        if status in ("yes", "partly") and "`" not in rest.rsplit("|", 1)[-1]:
            yield f"{page}: {name} does not say how we know"
    for name, handler in operations().items():
        handled = handler != "nullptr"
        if name not in rows:
            yield f"{page}: no row for {name}"
        elif (rows[name] == "no") == handled:
            yield f"{page}: {name} is '{rows[name]}', and the gateway has {'a' if handled else 'no'} handler for it"
    for name in sorted(set(rows) - set(operations())):
        yield f"{page}: {name} is no operation of gateway/s3/operation_list.h"


def check_metrics():
    page = "docs/metrics.md"
    registered = {}
    for group in (*GROUPS, "kms"):
        if group == "tests":
            continue
        for relative in files(group):
            if relative.suffix in (".cc", ".h"):
                code = re.sub(r"(?m)^\s*//.*$", "", read(relative))
                for name in re.findall(r'"((?:rondel|process)_[a-z0-9_]+)"', code):
                    registered.setdefault(name, str(relative))
    documented = re.findall(r"^\| `((?:rondel|process)_[a-z0-9_]+)` \|", read(page), re.M)
    for name in sorted(set(registered) - set(documented)):
        yield f"{page}: no row for {name} ({registered[name]})"
    for name in sorted(set(documented) - set(registered)):
        yield f"{page}: {name} is registered nowhere"


def described(program):
    return subprocess.run([program, "--describe-settings"], capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def settings_table(name):
    """The table of a program's section in docs/settings.md."""
    return re.compile(rf"(?ms)(^## {name}\n\n)(\|.*?)(?=\n\n|\n*\Z)")


def check_settings(programs):
    for name, program in programs.items():
        found = settings_table(name).search(read("docs/settings.md"))
        if not found:
            yield f"docs/settings.md: no table below '## {name}'"
            continue
        differing = set(found.group(2).splitlines()) ^ set(described(program).splitlines())
        if differing:
            yield f"docs/settings.md: {name}: not what the program prints (mend with --write-settings): {'; '.join(sorted(differing))[:300]}"


def write_settings(programs):
    text = read("docs/settings.md")
    for name, program in programs.items():
        text = settings_table(name).sub(lambda found: found.group(1) + described(program), text)
    (ROOT / "docs/settings.md").write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway")
    parser.add_argument("--node")
    parser.add_argument("--write-settings", action="store_true")
    arguments = parser.parse_args()
    programs = {name: program for name, program in (("rondel-gateway", arguments.gateway), ("rondel-node", arguments.node)) if program}
    if arguments.write_settings:
        write_settings(programs)
    checks = [check_readmes(), check_architecture(), check_decisions(), check_links(), check_nothing_left(), check_compatibility(),
              check_metrics(), check_settings(programs)]
    offences = [line for check in checks for line in check]
    for line in offences:
        print(line)
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
