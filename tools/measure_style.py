#!/usr/bin/env python3
"""Measures the shape of the code: prints each figure with its goal, and the worst offenders of those that miss it.

Hard figures have a goal, and the program exits 1 when one misses it; the others are reported. Lines are counted after clang-format
with the repository's options and 100 columns, so that a wide line is not a short function; places are lines of that text. "Production" is all
C++ but tests and yardsticks.

  measure_style.py [--worst N] [--json] [--root FOLDER]

Exits 2 when the parser (tree-sitter, from PyPI) or clang-format-19 cannot be had.
"""
import argparse
import collections
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

import check_layers
import cpp_source

COLUMNS = 100
HEADERS = {".h", ".hh", ".hpp", ".inc"}
INTERFACE_METHODS_MAX = 12
FUNCTION_LINES_MEDIAN, FUNCTION_LINES_P90, FUNCTION_LINES_MAX = 8, 26, 80
PARAMETERS_MAX, SQL_PARAMETERS_MAX = 6, 8
SQL_FILE_LINES_MAX = 300
TEST_RATIO_MIN, GATEWAY_TEST_RATIO_MIN = 0.6, 0.4
LONG_FUNCTION_LINES = 25

# Units (a header with its source) that may include one another in a circle, and why.
ACCEPTED_CYCLES = {
}


@dataclasses.dataclass
class Figure:
    name: str
    value: object
    goal: str = ""           # Empty: reported only.
    holds: bool = True
    worst: list = dataclasses.field(default_factory=list)


def at_most(name, value, limit, worst=()):
    return Figure(name, value, f"<= {limit}", value <= limit, list(worst))


def at_least(name, value, limit, worst=()):
    return Figure(name, value, f">= {limit}", value >= limit, list(worst))


def none_of(name, offenders):
    return Figure(name, len(offenders), "0", not offenders, list(offenders))


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0


def share(part, whole):
    return round(part / whole, 3) if whole else 0.0


# Reading ------------------------------------------------------------------------------------------

def formatted(root, paths):
    """path -> its bytes after clang-format at COLUMNS."""
    program = shutil.which("clang-format-19")
    if program is None:
        print("clang-format-19 is not there (deploy/local/install.sh --tests).", file=sys.stderr)
        sys.exit(2)
    options = (root / ".clang-format").read_text(encoding="utf-8") if (root / ".clang-format").exists() else "BasedOnStyle: Google\nColumnLimit: 80\n"
    with tempfile.TemporaryDirectory() as folder:
        style = pathlib.Path(folder) / "style"
        style.write_text(re.sub(r"^ColumnLimit:.*$", f"ColumnLimit: {COLUMNS}", options, flags=re.M), encoding="utf-8")

        def run(path):
            with open(root / path, "rb") as source:
                done = subprocess.run([program, f"--style=file:{style}", f"--assume-filename={path}"], stdin=source, capture_output=True, check=True)
            return path, done.stdout

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return dict(pool.map(run, paths))


def strongly_connected(graph):
    """Groups of two or more nodes that reach one another."""
    index, low, stack, on, groups = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on.add(node)
        for target in sorted(graph.get(node, ())):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in on:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
                on.discard(group[-1])
            if len(group) > 1:
                groups.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return sorted(groups)


# SQL ----------------------------------------------------------------------------------------------

SQL_TOKEN = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|(\$\w*\$).*?\1|\"[^\"]*\"|\w+|\s+|.", re.S)


def sql_functions(text):
    """(line, name, parameters, lines) of each function that the text creates. A comment, a string, a body is one token."""
    tokens, line = [], 1
    for match in SQL_TOKEN.finditer(text):
        token = match.group()
        if not token.isspace() and not token.startswith(("--", "/*")):
            tokens.append((token, line))
        line += token.count("\n")
    words = [token.lower() for token, _ in tokens]
    for at, word in enumerate(words):
        if word != "create" or "function" not in words[at + 1:at + 4]:
            continue
        name = at + words[at:].index("function") + 1
        depth, parameters, end = 0, 0, name + 1
        while end < len(words):
            depth += {"(": 1, ")": -1}.get(words[end], 0)
            if depth == 0:
                break
            parameters += depth == 1 and (words[end] == "," or (parameters == 0 and words[end] != "("))
            end += 1
        last = end
        while last + 1 < len(words) and words[last] != ";":
            last += 1
        yield tokens[at][1], tokens[name][0], parameters, tokens[last][1] - tokens[at][1] + 1


# Figures ------------------------------------------------------------------------------------------

class Tree:
    """Everything that is measured, read once."""

    def __init__(self, root):
        self.root = root
        check_layers.ROOT = root
        paths = list(check_layers.sources())
        self.production_paths = [path for path in paths if not path.startswith("tests/")]
        self.text = formatted(root, paths)
        reader = cpp_source.Reader()
        self.sources = [reader.read(path, self.text[path]) for path in self.production_paths]
        self.functions = [each for source in self.sources for each in source.functions]
        self.sql = {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in sorted((root / "migrations").rglob("*.sql"))}

    def lines_under(self, prefix):
        return sum(text.count(b"\n") for path, text in self.text.items() if path.startswith(prefix))


def place(item):
    return f"{item.path}:{item.line} {item.name}"


def cycle_figures(tree):
    folders, units = collections.defaultdict(set), collections.defaultdict(set)
    known = {check_layers.unit_of(path) for path in tree.production_paths}
    for source in tree.sources:
        for name in (include[1:-1] for include in source.includes if include.startswith('"')):
            if check_layers.unit_of(name) not in known:
                continue   # Generated.
            if check_layers.folder_of(name) != check_layers.folder_of(source.path):
                folders[check_layers.folder_of(source.path)].add(check_layers.folder_of(name))
            if check_layers.unit_of(name) != check_layers.unit_of(source.path):
                units[check_layers.unit_of(source.path)].add(check_layers.unit_of(name))
    yield none_of("folder cycles", [" <> ".join(group) for group in strongly_connected(folders)])
    groups = strongly_connected(units)
    unlisted = [" <> ".join(group) for group in groups if frozenset(group) not in ACCEPTED_CYCLES]
    yield none_of("header+source cycles without a reason", unlisted)
    yield Figure("header+source cycles", len(groups))
    stale = [" <> ".join(sorted(group)) for group in ACCEPTED_CYCLES if sorted(group) not in groups]
    yield none_of("accepted cycles that are none", stale)


def shape_figures(tree):
    units = {check_layers.unit_of(path) for path in tree.production_paths}
    counts = collections.Counter(unit.rsplit("/", 1)[0] if unit.count("/") < 2 else check_layers.folder_of(unit + ".h") for unit in units)
    limit = check_layers.UNITS_MAX
    yield none_of(f"folders above {limit} units", [f"{folder}: {count}" for folder, count in counts.most_common() if count > limit])
    interfaces = sorted((each for source in tree.sources for each in source.interfaces), key=lambda each: -each.methods)
    yield at_most("interface methods", interfaces[0].methods if interfaces else 0, INTERFACE_METHODS_MAX,
                  [f"{place(each)}: {each.methods}" for each in interfaces if each.methods > INTERFACE_METHODS_MAX])


def function_figures(tree):
    bodies = [each for each in tree.functions if each.lines]
    lines = [each.lines for each in bodies]
    yield at_most(f"function lines at {COLUMNS} columns, median", statistics.median(lines) if lines else 0, FUNCTION_LINES_MEDIAN)
    yield at_most("function lines, p90", percentile(lines, 0.9), FUNCTION_LINES_P90)
    longest = sorted((each for each in bodies if each.lines > FUNCTION_LINES_MAX), key=lambda each: -each.lines)
    yield at_most("function lines, longest", max(lines, default=0), FUNCTION_LINES_MAX, [f"{place(each)}: {each.lines}" for each in longest])
    widest = sorted((each for each in tree.functions if each.parameters > PARAMETERS_MAX), key=lambda each: -each.parameters)
    yield at_most("parameters", max((each.parameters for each in tree.functions), default=0), PARAMETERS_MAX,
                  [f"{place(each)}: {each.parameters}" for each in widest])


def lock_figures(tree):
    locks = [each for source in tree.sources for each in source.locks]
    loose = [each for each in locks if not each.annotated]
    yield none_of("mutexes that no annotation names", [place(each) for each in loose])
    yield Figure("mutexes", len(locks))


def sql_figures(tree):
    sizes = sorted(((text.count("\n"), path) for path, text in tree.sql.items()), reverse=True)
    yield at_most("lines of an SQL file", sizes[0][0] if sizes else 0, SQL_FILE_LINES_MAX,
                  [f"{path}: {lines}" for lines, path in sizes if lines > SQL_FILE_LINES_MAX])
    functions = [(path, *each) for path, text in tree.sql.items() for each in sql_functions(text)]
    wide = sorted((each for each in functions if each[3] > SQL_PARAMETERS_MAX), key=lambda each: -each[3])
    yield at_most("parameters of an SQL function", max((each[3] for each in functions), default=0), SQL_PARAMETERS_MAX,
                  [f"{path}:{line} {name}: {count}" for path, line, name, count, _ in wide])
    longest = sorted(functions, key=lambda each: -each[4])
    yield Figure("lines of an SQL function, longest", longest[0][4] if longest else 0, worst=[f"{path}:{line} {name}: {lines}" for path, line, name, _, lines in longest[:5]])


def test_figures(tree):
    production = sum(tree.lines_under(wing + "/") for wing in check_layers.WINGS if wing != "tests")
    ratio = share(tree.lines_under("tests/"), production)
    yield at_least("test / production lines, C++", ratio, TEST_RATIO_MIN)
    scripts = sum(path.read_bytes().count(b"\n") for path in (tree.root / "tests").rglob("*") if path.suffix in (".py", ".sh"))
    yield Figure("test / production lines with Python and shell", share(tree.lines_under("tests/") + scripts, production))
    folders = sorted({check_layers.folder_of(path) for path in tree.production_paths if path.startswith("gateway/")})
    ratios = sorted((share(tree.lines_under(f"tests/unit/{folder}/"), tree.lines_under(folder + "/")), folder) for folder in folders)
    yield at_least("test / production lines of a gateway/* folder, least", ratios[0][0] if ratios else 1.0, GATEWAY_TEST_RATIO_MIN,
                   [f"{folder}: {value}" for value, folder in ratios if value < GATEWAY_TEST_RATIO_MIN])


def reported_figures(tree):
    bodies = [each for each in tree.functions if each.lines]
    tokens = [each.tokens for each in bodies]
    heavy = sorted(bodies, key=lambda each: -each.tokens)
    yield Figure("tokens of a function, median", statistics.median(tokens) if tokens else 0)
    yield Figure("tokens of a function, p90", percentile(tokens, 0.9), worst=[f"{place(each)}: {each.tokens}" for each in heavy])
    for kind, wanted in (("headers", True), ("sources", False)):
        some = [source for source in tree.sources if (pathlib.Path(source.path).suffix in HEADERS) == wanted]
        comments = sum(source.comment_lines for source in some)
        yield Figure(f"comment share of {kind}", share(comments, comments + sum(source.code_lines for source in some)))
    long = [each for each in bodies if each.lines >= LONG_FUNCTION_LINES]
    quiet = sum(each.quiet_lines for each in long)
    walls = sorted(long, key=lambda each: (each.quiet_lines / each.lines, -each.lines))
    yield Figure(f"blank and comment lines of functions of {LONG_FUNCTION_LINES} lines or more", share(quiet, sum(each.lines for each in long)),
                 worst=[f"{place(each)}: {each.quiet_lines} of {each.lines}" for each in walls])
    yield Figure("functions", len(bodies))
    unread = [f"{source.path}:{line}" for source in tree.sources for line in source.unread]
    yield Figure("places outside of functions that the parser could not read", len(unread), worst=unread)


def measure(root):
    tree = Tree(root)
    return [figure for part in (cycle_figures, shape_figures, function_figures, lock_figures, sql_figures, test_figures, reported_figures)
            for figure in part(tree)]


def table(figures, worst):
    for figure in figures:
        verdict = "" if not figure.goal else "ok" if figure.holds else "MISSED"
        yield f"{figure.name:<60} {figure.value!s:>8}  {figure.goal:<8} {verdict}".rstrip()
        yield from (f"    {each}" for each in figure.worst[:worst])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--worst", type=int, default=5, metavar="N", help="so many offenders of each figure (5)")
    arguments.add_argument("--json", action="store_true", help="everything, with all offenders")
    arguments.add_argument("--root", type=pathlib.Path, default=check_layers.ROOT, help="the tree to measure (this one)")
    chosen = arguments.parse_args()
    cpp_source.ensure_parser()
    figures = measure(chosen.root.resolve())
    if chosen.json:
        print(json.dumps([dataclasses.asdict(figure) for figure in figures], indent=1))
    else:
        print("\n".join(table(figures, chosen.worst)))
    return 1 if any(not figure.holds for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
