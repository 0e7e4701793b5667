#!/usr/bin/env python3
"""Prepares for clang-format what it would wrap badly. Used by format.sh, before it.

- A comment that trails a line and makes it too long goes above that line: clang-format would break the code to keep it beside.
- The one statement of an `if`, `for` or `while` that does not fit into its line gets braces.

  long_lines.py COLUMNS FILE...
"""
import pathlib
import re
import sys

# Strings before comments, so that a slash in a string begins none. 1'000 is no character.
TOKEN = re.compile(r'''R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'|//[^\n]*|/\*.*?\*/''', re.S)
CONTROL = re.compile(r"^[ \t]*(?:if(?: constexpr)?|for|while) (?=\()", re.M)
NESTED = re.compile(r"(?:if|for|while|do|switch|try)\b")


def line_comments(text):
    """Line number -> column where its // begins."""
    found = {}
    for match in TOKEN.finditer(text):
        if match.group().startswith("//"):
            start = text.rfind("\n", 0, match.start()) + 1
            found[text.count("\n", 0, match.start())] = match.start() - start
    return found


def with_comments_above(text, columns):
    lines, comments, out, at = text.split("\n"), line_comments(text), [], 0
    while at < len(lines):
        line, column = lines[at], comments.get(at)
        code = line[:column].rstrip() if column is not None else ""
        in_macro = at > 0 and lines[at - 1].endswith("\\")
        at += 1
        if not code or code.lstrip().startswith("}") or code.endswith("\\") or in_macro:
            out.append(line)
            continue
        parts = [line[column:]]
        while at < len(lines) and comments.get(at) == column and not lines[at][:column].strip():   # It goes on below.
            parts.append(lines[at][column:])
            at += 1
        if max(len(code) + 2 + len(part) for part in parts) <= columns:
            out += lines[at - len(parts):at]
            continue
        indent = code[:len(code) - len(code.lstrip())]
        out += [indent + part for part in parts] + [code]
    return "\n".join(out)


def masked(text):
    """The text with its strings and comments blanked, each character at its place."""
    return TOKEN.sub(lambda match: re.sub(r"[^\n]", "x" if match.group()[0] in "\"'R" else " ", match.group()), text)


def end_of(text, start, closer):
    """Position of `closer` outside of brackets that open at start or later; -1 when there is none."""
    depth = 0
    for at in range(start, len(text)):
        if text[at] in "([{":
            depth += 1
        elif text[at] in ")]}":
            depth -= 1
        if depth < 0:
            return -1
        if depth == 0 and text[at] == closer:
            return at
    return -1


def with_braces(text, columns):
    plain, insertions = masked(text), []
    for match in CONTROL.finditer(plain):
        condition = end_of(plain, match.end(), ")")
        begin = condition + 1 + len(plain[condition + 1:]) - len(plain[condition + 1:].lstrip())
        in_macro = text[:match.start()].endswith("\\\n")
        if in_macro or condition < 0 or plain[begin] in "{;" or NESTED.match(plain, begin):
            continue
        end = end_of(plain, begin, ";")
        line_end = plain.find("\n", end)
        whole = text[match.start():end + 1]
        if end < 0 or "\\\n" in whole or re.match(r"\s*else\b", plain[end + 1:]):
            continue
        if "\n" in whole or len(whole) > columns or len(text[match.start():line_end].rstrip()) > columns:
            insertions += [(condition + 1, " {"), (end + 1, " }")]
    for at, what in sorted(insertions, reverse=True):
        text = text[:at] + what + text[at:]
    return text


def main():
    columns = int(sys.argv[1])
    for name in sys.argv[2:]:
        path = pathlib.Path(name)
        text = path.read_text(encoding="utf-8")
        changed = with_braces(with_comments_above(text, columns), columns)
        if changed != text:
            path.write_text(changed, encoding="utf-8")


if __name__ == "__main__":
    main()
