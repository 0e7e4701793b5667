#!/usr/bin/env python3
"""Renders rules.template.yaml: `@5m@` is a duration, `@300 s@` a number of seconds, and all of them are divided by one number.

    render.py > rules.yaml        # production
    render.py --divide 60         # the drill: an hour lasts a minute; shares, counts and states stay
"""
import argparse
import pathlib
import re
import sys

TEMPLATE = pathlib.Path(__file__).resolve().parent / "rules.template.yaml"
UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
NOTE = "# Rendered from rules.template.yaml by render.py: change that, and render again.\n"


def duration(ms):
    """The way Prometheus writes it, in the largest unit that is whole."""
    for unit, size in UNITS_MS.items():
        if ms % size == 0:
            return f"{ms // size}{unit}"
    raise AssertionError(ms)


def seconds(value):
    return f"{value:.6g}" if value != int(value) else str(int(value))


def render(template, divide=1):
    def one(match):
        count, gap, unit = match.groups()
        if gap:
            return seconds(int(count) / divide)
        return duration(max(1, round(int(count) * UNITS_MS[unit] / divide)))
    return NOTE + re.sub(r"@(\d+)( ?)(ms|d|h|m|s)@", one, template)


def main():
    parser = argparse.ArgumentParser(prog="render.py")
    parser.add_argument("--divide", type=int, default=1)
    arguments = parser.parse_args()
    sys.stdout.write(render(TEMPLATE.read_text(), arguments.divide))


if __name__ == "__main__":
    main()
