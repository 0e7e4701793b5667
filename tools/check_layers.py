#!/usr/bin/env python3
"""Checks who includes whom and that each third-party library has one home. Prints one line per offence; exits 1 on any.

The arrows are the list in ARCHITECTURE.md, "The folders": `X: A B` says that files of X may include files of A and of B beside
their own. Every arrow that the sources have must be there, every one that is there must be used, and they must not form a circle;
nor may the files. A unit test may include whatever the folder that it tests leads to, and fakes.

  check_layers.py            the check
  check_layers.py --list     prints the arrows that the sources have, as the list shows them
"""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)
SUFFIXES = {".h", ".hh", ".hpp", ".inc", ".c", ".cc", ".cpp"}
WINGS = ("common", "transfer", "metadata", "identity", "kms", "cluster", "jobs", "storage-node", "gateway", "s3_client", "cli", "bench", "tests")
SERVICES = ("storage-node", "gateway")
UNITS_MAX = 25   # Of one folder: a header with its source counts once.

# Pattern of a system header -> folders where it may stand.
HOMES = [
    (r"boost/beast/", {"common/http"}),
    (r"boost/asio", {"common/http", "common/async"}),
    (r"openssl/", {"common/crypto", "common/http"}),
    (r"intel-ipsec-mb", {"common/crypto"}),
    (r"grpcpp/create_channel", {"common/grpc"}),
    (r"grpcpp/|grpc/", {"common/grpc", "transfer/grpc", "cluster/membership", "cluster/node_client", "storage-node/service", "storage-node/repair", "storage-node/main", "gateway/main"}),
    (r"libpq|pqxx", {"metadata/connection", "metadata/postgres"}),
    (r"rocksdb/", {"storage-node/index"}),
    (r"prometheus/", {"common/metrics"}),
    (r"spdlog/", {"common/log"}),
    (r"yaml-cpp/", {"common/config"}),
    (r"isa-l|crc\.h|xxhash|xxh3", {"common/hash", "common/model", "common/ring"}),
]
NEVER_IN_HEADERS = re.compile(r"boost/(asio|beast)|grpcpp/|libpq|pqxx|rocksdb/|prometheus/|spdlog/|yaml-cpp/|openssl/|intel-ipsec-mb")


def folder_of(path):
    """Folders are at most two deep, those of unit and contract tests as deep as what they test."""
    parts = path.split("/")[:-1]
    return "/".join(parts[:4] if parts[0] == "tests" else parts[:2])


def sources():
    for wing in WINGS:
        for path in sorted((ROOT / wing).rglob("*")):
            if path.suffix in SUFFIXES and "yardsticks" not in path.parts:
                yield str(path.relative_to(ROOT))


def read_arrows():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = re.search(r"^```arrows\n(.*?)^```", text, re.M | re.S)
    arrows = {}
    for line in block.group(1).splitlines():
        source, targets = line.split(":")
        arrows[source] = set(targets.split())
    return arrows


def tested_folder(folder):
    return folder.removeprefix("tests/unit/") if folder.startswith("tests/unit/") else None


def reach(folder, arrows):
    """The folder and all that its arrows lead to."""
    found, left = set(), [folder]
    while left:
        if (at := left.pop()) not in found:
            found.add(at)
            left += arrows.get(at, ())
    return found


def circle(graph):
    """The nodes of a circle in the graph, or none."""
    state, path = {}, []

    def visit(node):
        state[node] = 1
        path.append(node)
        for target in sorted(graph.get(node, ())):
            if state.get(target) == 1:
                return path[path.index(target):] + [target]
            if target not in state and (found := visit(target)):
                return found
        path.pop()
        state[node] = 2
        return None

    for node in sorted(graph):
        if node not in state and (found := visit(node)):
            return found
    return None


def unit_of(path):
    return path.rsplit(".", 1)[0]


class Graph:
    """What the sources include, by folder and by file."""

    def __init__(self):
        self.arrows = collections.defaultdict(dict)   # Folder -> folder -> an example.
        self.files = collections.defaultdict(set)
        self.system = []                              # (file, header).
        for relative in sources():
            self.arrows[folder_of(relative)]
            for quote, name in INCLUDE.findall((ROOT / relative).read_text(encoding="utf-8")):
                if quote == "<":
                    self.system.append((relative, name))
                    continue
                source, target = folder_of(relative), folder_of(name)
                if source != target:
                    self.arrows[source].setdefault(target, f"{relative} includes {name}")
                if relative != name:
                    self.files[relative].add(name)


def arrow_offences(graph, allowed):
    for source, targets in sorted(graph.arrows.items()):
        tested = tested_folder(source)
        if tested is None and source not in allowed:
            yield f"ARCHITECTURE.md: the list of arrows lacks {source}"
            continue
        may = allowed.get(source, set())
        if tested is not None:
            may = may | reach(tested, allowed) | {"tests/fakes", "tests/unit", "/".join(source.split("/")[:3])}
        for target, example in sorted(targets.items()):
            if target not in may:
                yield f"{source} must not include {target}: {example}"
    for source, targets in sorted(allowed.items()):
        for target in sorted(targets - set(graph.arrows.get(source, ()))):
            yield f"ARCHITECTURE.md: nothing in {source} includes {target}"
    for source, targets in sorted(graph.arrows.items()):
        for service in SERVICES:
            outside = {target for target in targets if target.split("/")[0] == service and source.split("/")[0] not in (service, "tests")}
            for target in sorted(outside):
                yield f"{source} includes the service {target}"
    for kind, found in (("folders", circle(allowed)), ("files", circle(graph.files))):
        if found:
            yield f"{kind} in a circle: {' > '.join(found)}"


def home_offences(graph):
    for relative, name in graph.system:
        folder = folder_of(relative)
        home = tested_folder(folder) or folder
        for pattern, homes in HOMES:
            if re.match(pattern, name) and not relative.startswith("tests/") and home not in homes:
                yield f"{relative}: <{name}> belongs to {', '.join(sorted(homes))}"
        if relative.endswith(".h") and NEVER_IN_HEADERS.match(name):
            yield f"{relative}: <{name}> must not stand in a header"


def shape_offences():
    units = collections.Counter()
    seen = set()
    for relative in sources():
        if "utils" in relative.split("/"):
            yield f"{relative}: no folder is called utils"
        if unit_of(relative) not in seen and not relative.startswith("tests/"):
            seen.add(unit_of(relative))
            units[folder_of(relative)] += 1
    for folder, count in sorted(units.items()):
        if count > UNITS_MAX:
            yield f"{folder}: {count} units; at most {UNITS_MAX} are wanted"


def listing(graph):
    for source, targets in graph.arrows.items():
        if tested_folder(source) is None:
            yield f"{source}: {' '.join(sorted(targets))}".rstrip()


def main():
    graph = Graph()
    if sys.argv[1:] == ["--list"]:
        print("\n".join(listing(graph)))
        return 0
    found = [*arrow_offences(graph, read_arrows()), *home_offences(graph), *shape_offences()]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
