"""What a C++ file consists of, read by tree-sitter: functions, interfaces, mutexes, includes, comment and code lines.

`ensure_parser()` comes first: when this Python has no tree-sitter, it makes a virtual environment under build/tools with the two
packages and starts the program anew in it.
"""
import dataclasses
import fcntl
import os
import pathlib
import re
import subprocess
import sys

PACKAGES = ("tree-sitter==0.25.2", "tree-sitter-cpp==0.23.4")
ENVIRONMENT = pathlib.Path(__file__).resolve().parent.parent / "build/tools/python"

# Macros that the grammar cannot know. `TRY(declaration, expression)` is read as the declaration that it is.
DECLARING = re.compile(rb"\b(?:CO_)?(?:TRY|S3)\(")
ANNOTATION = re.compile(
    rb"\b(?:PT_)?(?:GUARDED_BY|REQUIRES|REQUIRES_SHARED|EXCLUDES|ACQUIRE|ACQUIRE_SHARED|RELEASE|RELEASE_SHARED|RELEASE_GENERIC|TRY_ACQUIRE|"
    rb"ASSERT_CAPABILITY|RETURN_CAPABILITY|CAPABILITY|ACQUIRED_BEFORE|ACQUIRED_AFTER)\(([^()]*(?:\([^()]*\))?[^()]*)\)"
    rb"|\b(?:SCOPED_CAPABILITY|NO_THREAD_SAFETY_ANALYSIS)\b")
STANDARD_MUTEX = re.compile(r"\bstd::(?:recursive_|shared_)?(?:timed_)?mutex$")
ANNOTATED_MUTEX = re.compile(r"^(?:[\w:]+::)?Mutex$")
WHOLE = {"string_literal", "raw_string_literal", "char_literal", "system_lib_string", "concatenated_string"}   # One token each.


@dataclasses.dataclass
class Function:
    path: str
    line: int
    name: str
    lines: int
    tokens: int
    parameters: int
    quiet_lines: int      # Blank ones and those with nothing but a comment.


@dataclasses.dataclass
class Interface:
    path: str
    line: int
    name: str
    methods: int


@dataclasses.dataclass
class Lock:
    path: str
    line: int
    name: str
    annotated: bool       # Of a type that the compiler follows, and named by an annotation in its file.


@dataclasses.dataclass
class Source:
    path: str
    lines: int
    comment_lines: int
    code_lines: int
    includes: list
    functions: list
    interfaces: list
    locks: list
    unread: list          # Lines outside of functions that the parser could not read.


def ensure_parser():
    try:
        import tree_sitter, tree_sitter_cpp   # noqa: F401
        return
    except ImportError:
        pass
    python = ENVIRONMENT / "bin/python"
    if pathlib.Path(sys.prefix) != ENVIRONMENT:
        ENVIRONMENT.parent.mkdir(parents=True, exist_ok=True)
        with open(ENVIRONMENT.parent / "python.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            make = [[sys.executable, "-m", "venv", ENVIRONMENT], [python, "-m", "pip", "install", "-q", *PACKAGES]]
            present = python.exists() and subprocess.run([python, "-c", "import tree_sitter_cpp"], capture_output=True).returncode == 0
            if present or all(subprocess.run(command).returncode == 0 for command in make):
                os.execv(python, [str(python), *sys.argv])
    print(f"The parser is not there and cannot be installed: pip install {' '.join(PACKAGES)}", file=sys.stderr)
    sys.exit(2)


def closing(text, start):
    """Positions of the first comma at depth 1 and of the parenthesis that closes the one at start."""
    depth, comma, at = 0, None, start
    while at < len(text):
        character = text[at:at + 1]
        if character in b"([{":
            depth += 1
        elif character in b")]}":
            depth -= 1
            if depth == 0:
                return comma, at
        elif character == b"," and depth == 1 and comma is None:
            comma = at
        elif character in b"\"'" and not (character == b"'" and text[at - 1:at].isalnum()):
            at += 1
            while at < len(text) and text[at:at + 1] != character:
                at += 2 if text[at:at + 1] == b"\\" else 1
        at += 1
    return None, None


def readable(text):
    """The text with macros in the grammar's words, each byte at its place."""
    out = bytearray(text)
    for match in DECLARING.finditer(text):
        before = text[text.rfind(b"\n", 0, match.start()) + 1:match.start()]
        if b"//" in before or before.lstrip().startswith(b"#"):
            continue
        comma, end = closing(text, match.end() - 1)
        if comma is not None:
            out[match.start():match.end()] = b" " * (match.end() - match.start())
            out[comma:comma + 1], out[end:end + 1] = b"=", b" "
    for match in ANNOTATION.finditer(text):
        before = text[text.rfind(b"\n", 0, match.start()) + 1:match.start()]
        if not before.lstrip().startswith(b"#"):
            out[match.start():match.end()] = re.sub(rb"[^\n]", b" ", match.group())
    return bytes(out)


class Reader:
    def __init__(self):
        import tree_sitter
        import tree_sitter_cpp
        self.parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_cpp.language()))

    def read(self, path, text):
        """The Source of `text`, bytes that stand in `path`."""
        root = self.parser.parse(readable(text)).root_node
        found = Source(path, text.count(b"\n"), 0, 0, [], [], [], [], [])
        walk = Walk(found, text)
        walk.mark_lines(root)
        walk.visit(root, [], False)
        found.comment_lines = len(walk.comment_only)
        found.code_lines = len(walk.code)
        return found


class Walk:
    def __init__(self, found, text):
        self.found = found
        self.text, self.capabilities = text, set()
        self.code, self.comment_only = set(), set()
        self.named = {match for group in ANNOTATION.finditer(text) if group.group(1)
                      for match in re.findall(r"\w+", group.group(1).decode())}

    def mark_lines(self, root):
        comments = set()
        for leaf in leaves(root):
            lines = range(leaf.start_point[0], leaf.end_point[0] + (leaf.end_point[1] > 0))
            (comments if leaf.type == "comment" else self.code).update(lines)
        self.comment_only = comments - self.code

    def visit(self, node, scope, inside):
        kind = node.type
        if kind == "ERROR" and not inside:
            self.found.unread.append(node.start_point[0] + 1)
        if kind == "preproc_include":
            self.found.includes.append(text_of(node.child_by_field_name("path")))
        if kind in ("class_specifier", "struct_specifier") and node.child_by_field_name("body"):
            name = node.child_by_field_name("name")
            scope = scope + [text_of(name) if name else "(unnamed)"]
            if name and b"CAPABILITY(" in self.text[node.start_byte:name.start_byte]:
                self.capabilities.add(scope[-1])
            self.see_class(node, scope)
        if kind == "function_definition" and node.child_by_field_name("body"):
            self.see_function(node, scope)
            scope, inside = scope + [name_of(node)], True
        if kind in ("field_declaration", "declaration") and node.child_by_field_name("type"):
            self.see_lock(node, scope)
        for child in node.children:
            self.visit(child, scope, inside)

    def see_function(self, node, scope):
        first, last = node.start_point[0], node.end_point[0]
        lines = range(first, last + 1)
        quiet = sum(1 for line in lines if line not in self.code)
        tokens = sum(1 for leaf in leaves(node) if leaf.type != "comment")
        self.found.functions.append(Function(self.found.path, first + 1, "::".join(scope + [name_of(node)]), len(lines), tokens,
                                             parameters_of(node), quiet))

    def see_class(self, node, scope):
        methods, pure = 0, 0
        for member in node.child_by_field_name("body").children:
            if member.type in ("field_declaration", "function_definition", "declaration") and any(
                    child.type == "virtual" for child in member.children) and "~" not in name_of(member):
                methods += 1
                if member.type != "function_definition" and re.search(r"=\s*0\s*;$", text_of(member)):
                    pure += 1
                    self.found.functions.append(Function(self.found.path, member.start_point[0] + 1, "::".join(scope + [name_of(member)]),
                                                         0, 0, parameters_of(member), 0))
        if pure:
            self.found.interfaces.append(Interface(self.found.path, node.start_point[0] + 1, "::".join(scope), methods))

    def see_lock(self, node, scope):
        if scope and scope[-1] in self.capabilities:
            return   # What an annotated mutex is made of.
        kind = text_of(node.child_by_field_name("type"))
        standard, ours = STANDARD_MUTEX.search(kind), ANNOTATED_MUTEX.match(kind)
        for declarator in node.children_by_field_name("declarator") if standard or ours else ():
            if declarator.type not in ("field_identifier", "identifier", "init_declarator"):
                continue   # A reference, a pointer, a function.
            name = text_of(declarator).split("=")[0].split("{")[0].strip()
            self.found.locks.append(Lock(self.found.path, node.start_point[0] + 1, "::".join(scope + [name]),
                                         bool(ours) and name in self.named))


def leaves(node):
    if node.type in WHOLE or not node.children:
        if node.end_byte > node.start_byte:
            yield node
        return
    for child in node.children:
        yield from leaves(child)


def text_of(node):
    return node.text.decode("utf-8", "replace")


def declarator_of(node):
    """The function_declarator of a definition or declaration, or none."""
    at = node.child_by_field_name("declarator")
    while at is not None and at.type != "function_declarator":
        at = at.child_by_field_name("declarator") or next((child for child in at.children if child.type.endswith("declarator")), None)
    return at


def name_of(node):
    declarator = declarator_of(node)
    if declarator is None:   # operator T().
        return re.sub(r"\s+", " ", text_of(node.child_by_field_name("declarator") or node).split("(")[0])
    return re.sub(r"\s+", " ", text_of(declarator.child_by_field_name("declarator")))


def parameters_of(node):
    declarator = declarator_of(node)
    if declarator is None:
        return 0
    listed = [child for child in declarator.child_by_field_name("parameters").named_children if child.type.endswith("parameter_declaration")]
    return 0 if [text_of(child) for child in listed] == ["void"] else len(listed)
