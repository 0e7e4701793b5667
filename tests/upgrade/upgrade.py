"""A rolling upgrade: two builds of the gateway on one database and its nodes, under load. README.md says what must hold."""
import argparse
import itertools
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import boto3  # noqa: E402

import cluster as clusters  # noqa: E402
from load import Readers, Writers, check  # noqa: E402

BUCKETS = (f"upgrade-{n}" for n in itertools.count(1))


def say(line):
    print(line, flush=True)


def schema_of(tree):
    """The number of the last migration of a tree."""
    return len(list((pathlib.Path(tree) / "migrations").glob("[0-9]*.sql")))


def lost_signatures(base_tree):
    """Functions that the base could call, as it called them, and that this tree does not have any more."""
    read = lambda tree: (pathlib.Path(tree) / "migrations" / "signatures").read_text().splitlines()
    return [line for line in read(base_tree) if line not in read(ROOT)]


class Gateway:
    """One of the cluster's gateways, which can be exchanged for that of another build."""

    def __init__(self, cluster, number):
        self.cluster = cluster
        self.name = f"gateway-{number}"
        self.log = cluster.data / "log" / f"{self.name}-exchanged.log"
        self.pid = cluster.processes()[self.name]
        self.words = pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")[1:-1]
        self.folder = os.readlink(f"/proc/{self.pid}/cwd")
        self.started = None
        self.url = cluster.metric_urls()[number - 1].rsplit("/", 1)[0]

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        if self.started:
            assert self.started.wait(60) == 0, f"{self.name} ended with {self.started.returncode}"
        clusters.wait_for(lambda: not clusters.is_running(self.pid), 60, f"{self.name} to stop")

    def start(self, build):
        with open(self.log, "w") as log:
            self.started = subprocess.Popen([f"{build}/bin/rondel-gateway", *self.words], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd=self.folder, start_new_session=True)
        self.pid = self.started.pid
        (self.cluster.data / "run" / f"{self.name}.pid").write_text(f"{self.pid}\n")

    def await_ready(self):
        def ready():
            assert self.started.poll() is None, f"{self.name} does not start: {self.log.read_text()[-1000:]}"
            try:
                return bool(self.cluster.metrics(self.url + "/health/ready")) or True
            except OSError:
                return False
        clusters.wait_for(ready, 60, f"{self.name} to be ready")

    def refusal(self, build):
        """What it says when it ends at its start."""
        self.start(build)
        assert self.started.wait(60) != 0, f"{self.name} of the base ended well"
        return [line for line in self.log.read_text().splitlines() if line.strip()]


class Alternating:
    """A client that sends each request to the next gateway."""

    def __init__(self, clients):
        self.turns = itertools.cycle(clients)

    def __getattr__(self, name):
        return lambda **words: getattr(next(self.turns), name)(**words)


def listed(client, bucket):
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 50})
    return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


def check_listing(client, bucket, history):
    keys = listed(client, bucket)
    for key, digests in history.allowed.items():
        assert key in keys or None in digests, f"{key} was acknowledged and is not listed"
        assert key not in keys or digests != {None}, f"{key} was deleted and is listed"
    prefixes = client.list_objects_v2(Bucket=bucket, Delimiter="/").get("CommonPrefixes", [])
    assert {p["Prefix"] for p in prefixes} == {key.split("/")[0] + "/" for key in keys}
    return len(keys)


def versions_and_parts(first, second):
    """What is begun through one gateway and ended through the other."""
    name = next(BUCKETS)
    first.create_bucket(Bucket=name)
    second.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for client, body in ((first, b"1"), (second, b"2"), (first, b"3")):
        client.put_object(Bucket=name, Key="k", Body=body, Tagging="a=" + body.decode())
    found = second.list_object_versions(Bucket=name)["Versions"]
    assert [v["IsLatest"] for v in found] == [True, False, False]
    assert first.get_object(Bucket=name, Key="k", VersionId=found[1]["VersionId"])["Body"].read() == b"2"
    assert second.get_object_tagging(Bucket=name, Key="k")["TagSet"] == [{"Key": "a", "Value": "3"}]
    second.delete_object(Bucket=name, Key="k", VersionId=found[0]["VersionId"])
    assert first.get_object(Bucket=name, Key="k")["Body"].read() == b"2"

    upload = first.create_multipart_upload(Bucket=name, Key="parts")["UploadId"]
    body = os.urandom(5 << 20)
    words = {"Bucket": name, "Key": "parts", "UploadId": upload}
    etags = [client.upload_part(**words, PartNumber=n, Body=part)["ETag"]
             for n, client, part in ((1, second, body), (2, first, b"end"))]
    parts = [{"PartNumber": n + 1, "ETag": etag} for n, etag in enumerate(etags)]
    second.complete_multipart_upload(**words, MultipartUpload={"Parts": parts})
    first.copy_object(Bucket=name, Key="copy", CopySource={"Bucket": name, "Key": "parts"})
    assert second.get_object(Bucket=name, Key="copy")["Body"].read() == body + b"end"


def under_load(cluster, clients, seconds):
    """Writes, deletes and reads a new bucket through all of `clients` at once, then compares everything through each."""
    bucket = next(BUCKETS)
    clients[0]().create_bucket(Bucket=bucket)
    alternating = lambda: Alternating([make() for make in clients])
    writers = Writers(alternating, bucket, threads=4, sizes=(0, 100, 4096, 70_000), keys=30, deletes=0.25)
    readers = Readers(alternating, bucket, writers.history, threads=2)
    time.sleep(seconds)
    readers.stop()
    history = writers.stop()
    assert not readers.wrong, "\n".join(readers.wrong[:5])
    assert history.acknowledged > 0 and history.failed == 0 and readers.failed == 0, \
        f"{history.acknowledged} acknowledged, {history.failed} writes and {readers.failed} reads failed"
    for make in clients:
        compared, keys = check(make(), bucket, history), check_listing(make(), bucket, history)
        say(f"  {compared} objects compared, {keys} keys listed")
    say(f"  {history.acknowledged} acknowledged, {readers.done} read, none failed")
    return bucket, history


def migrate(cluster, build, tree):
    words = [f"{build}/bin/rondel", "migrate", "--migrations", f"{tree}/migrations", "--dsn", cluster.dsn()]
    return subprocess.run(words, capture_output=True, text=True, timeout=120)


def upgrade(cluster, args):
    first = lambda: cluster.boto3(boto3, gateway=1)
    second = lambda: cluster.boto3(boto3, gateway=2)
    say("both gateways of the base")
    before = under_load(cluster, [first, second], args.seconds)

    base_schema, schema = schema_of(args.base_tree), schema_of(ROOT)
    done = migrate(cluster, args.bin, ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    least = int(cluster.sql("select min_binary from cluster"))
    say(f"schema {base_schema} -> {schema}, min_binary {least}")
    exchanged, old = Gateway(cluster, 2), Gateway(cluster, 1)
    exchanged.stop()
    if least > base_schema:
        old.stop()
    exchanged.start(args.bin)
    exchanged.await_ready()

    if least > base_schema:
        say("the base is left behind: this build alone")
        check(second(), *before)
        under_load(cluster, [second], args.seconds)
        lines = old.refusal(args.base_bin)
        assert len(lines) == 1 and "use a newer one" in lines[0], "\n".join(lines)
        say(f"  the base is refused: {lines[0]}")
        return
    lost = lost_signatures(args.base_tree)
    assert not lost, "functions that the base calls are gone, and min_binary was not raised:\n" + "\n".join(lost)
    say("a gateway of the base and one of this build")
    check(second(), *before)
    under_load(cluster, [first, second], args.seconds)
    versions_and_parts(first(), second())
    say("the gateway of the base started again")
    old.stop()
    old.start(args.base_bin)
    old.await_ready()
    under_load(cluster, [first, second], args.seconds)
    exchanged.stop()
    old.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-tree", required=True)
    parser.add_argument("--base-bin", required=True)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--port", type=int, help="first of 500; default: free ones")
    args = parser.parse_args()
    # The cluster is the base's: its programs, its migrations.
    clusters.ROOT, clusters.BUILD = pathlib.Path(args.base_tree), pathlib.Path(args.base_bin)
    cluster = clusters.Cluster(args.port, nodes=4, gateways=2)
    try:
        done = cluster.up()
        assert done.returncode == 0, done.stdout + done.stderr
        upgrade(cluster, args)
    except BaseException:
        os.environ["RONDEL_KEEP_DATA"] = "1"
        say(f"VIOLATION; the data is kept in {cluster.data}")
        raise
    finally:
        cluster.wipe()
    say("upgraded")


if __name__ == "__main__":
    main()
