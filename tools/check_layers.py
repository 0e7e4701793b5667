#!/usr/bin/env python3
"""Checks who includes whom and that each third-party library has one home. Prints one line per offence; exits 1 on any."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)

# Folder -> folders it may include beside itself. "common" stands for every common folder.
ALLOWED = {
    "common/base": set(),
    "common/model": {"common/base"},
    "common/async": {"common/base", "common/model"},
    "common/fs": {"common/base", "common/model"},
    "common/hash": {"common/base", "common/model"},
    "common/crypto": {"common/base", "common/model"},
    "common/sigv4": {"common/base", "common/model", "common/crypto"},
    "common/ring": {"common/base", "common/model"},
    "common/lifecycle": {"common/base"},
    "common/rpc": {"common/base", "common/model", "common/async", "common/hash", "proto"},
    "common/http": {"common/base", "common/model", "common/async", "common/crypto"},
    "common/log": {"common/base", "common/model"},
    "common/metrics": {"common/base", "common/model"},
    "common/config": {"common/base", "common/model"},
    "metadata/model": {"common"},
    "metadata/store": {"common", "metadata/model"},
    "metadata/cache": {"common", "metadata/model", "metadata/store"},
    "metadata/postgres": {"common", "metadata/model", "metadata/store"},
    "metadata/memory": {"common", "metadata/model", "metadata/store"},
    "storage-node/segment": {"common"},
    "storage-node/index": {"common"},
    "storage-node/engine": {"common", "storage-node/segment", "storage-node/index"},
    "storage-node/repair": {"common", "proto", "storage-node/engine"},
    "storage-node/service": {"common", "proto", "storage-node/engine", "storage-node/repair"},
    "storage-node/main": {"common", "proto", "storage-node"},
    "gateway/s3": {"common"},
    "gateway/auth": {"common", "metadata"},
    "gateway/encryption": {"common", "metadata"},
    "gateway/blobs": {"common"},
    "gateway/cluster": {"common", "metadata", "proto"},
    "gateway/operations": {"common", "metadata", "gateway/s3", "gateway/auth", "gateway/encryption", "gateway/blobs", "gateway/cluster"},
    "gateway/admin": {"common", "metadata", "gateway"},
    "gateway/main": {"common", "metadata", "gateway", "proto"},
    "cli": {"common", "proto", "metadata", "gateway/encryption"},
    "bench": {"common", "proto"},
    "bench/policy": {"common", "metadata", "gateway/auth"},
}

# Pattern of a system header -> folders where it may stand (headers_too: also in .h files).
HOMES = [
    (r"boost/beast/", {"common/http"}),
    (r"boost/asio", {"common/http", "common/async"}),
    (r"openssl/", {"common/crypto", "common/http"}),
    (r"intel-ipsec-mb", {"common/crypto"}),
    (r"grpcpp/|grpc/", {"common/rpc", "storage-node/service", "storage-node/repair", "storage-node/main", "gateway/cluster", "gateway/main"}),
    (r"grpcpp/create_channel", {"common/rpc"}),
    (r"libpq|pqxx", {"metadata/postgres"}),
    (r"rocksdb/", {"storage-node/index"}),
    (r"prometheus/", {"common/metrics"}),
    (r"spdlog/", {"common/log"}),
    (r"yaml-cpp/", {"common/config"}),
    (r"isa-l|crc\.h|xxhash|xxh3", {"common/hash", "common/model", "common/ring"}),
]
NEVER_IN_HEADERS = re.compile(r"boost/(asio|beast)|grpcpp/|libpq|pqxx|rocksdb/|prometheus/|spdlog/|yaml-cpp/|openssl/|intel-ipsec-mb")


def folder_of(path):
    parts = path.split("/")
    if parts[0] in ("common", "gateway", "metadata", "storage-node"):
        return "/".join(parts[:2])
    if parts[:2] == ["bench", "policy"]:
        return "bench/policy"
    return parts[0]


def may_include(source, target):
    allowed = ALLOWED[source]
    return target == source or target in allowed or target.split("/")[0] in allowed


def offences(relative, text):
    source = folder_of(relative)
    if source not in ALLOWED:
        return
    for quote, name in INCLUDE.findall(text):
        if quote == '"':
            target = folder_of(name)
            if not may_include(source, target):
                yield f"{relative}: {source} must not include {name}"
            continue
        for pattern, homes in HOMES:
            if re.match(pattern, name) and source not in homes:
                yield f"{relative}: <{name}> belongs to {', '.join(sorted(homes))}"
        if relative.endswith(".h") and NEVER_IN_HEADERS.match(name):
            yield f"{relative}: <{name}> must not stand in a header"


def main():
    found = []
    for top in ("common", "metadata", "storage-node", "gateway", "cli", "bench"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".h", ".cc") and "yardsticks" not in path.parts:
                relative = str(path.relative_to(ROOT))
                found += offences(relative, path.read_text())
                if path.parent.name == "utils":
                    found.append(f"{relative}: no folder is called utils")
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
