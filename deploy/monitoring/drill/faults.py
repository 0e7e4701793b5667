"""The rows of the drill: generators that break something of a Stage, yield, and mend it when resumed.

`pulls` are the alerts that must fire while it is broken and be silent again afterwards. `first` names the alerts of which one must
be the first to fire. `meanwhile` names what may fire too: it is left out of the first page of a fault that is there at the same time.
"""
import contextlib
import dataclasses
import random
import shutil
import socket
import threading
import time

import signing
from cluster import wait_for
from stage import BUCKET, GATEWAYS, NODES, REFUSALS


@dataclasses.dataclass
class Fault:
    name: str
    act: object
    pulls: tuple
    first: tuple
    within: float = 90
    silent_within: float = 150
    meanwhile: tuple = ()
    # A metric without which nothing can be said: the build is too old for the row.
    needs: str = ""


# Lanes of faults: those of one lane come one after another, the lanes of one group at the same time.
GROUPS = []

# Alerts that no fault of the drill can pull, and why; their promtool tests in rules_test.yaml stand alone.
NOT_PULLED = {
    "RondelRepairListFull": "The list of a disk holds 65,536 blobs: the cluster of the drill cannot miss so many within minutes.",
}


# A sixtieth of its second is what a machine takes that has other work: it counts where a fault pulls it alone.
NOISE = {"RondelRequestsSlow"}


def lane(group, name, pulls, first, **more):
    def register(function):
        while len(GROUPS) <= group[0]:
            GROUPS.append([])
        lanes = GROUPS[group[0]]
        while len(lanes) <= group[1]:
            lanes.append([])
        lanes[group[1]].append(Fault(name, function, tuple(pulls), tuple(first), **more))
        return function
    return register


LONG, BESIDE, ALONE = (0, 0), (0, 1), (1, 0)


# A node is lost for hours (minutes here), and what does not disturb that meanwhile.

@lane(LONG, "a node is dead for hours, another lost its index",
      ["RondelProcessDown", "RondelReplicationLag", "RondelReplicationStuck", "RondelComparisonStays"], ["RondelProcessDown"],
      within=460, meanwhile=["RondelRingDiffers", "RondelNodeWithoutContact"])
def node_dead(stage):
    """node-2 is dead; node-1 must compare its new index with all its peers and waits for that one."""
    words = stage.command("node-1")
    stage.kill(["node-2"])
    stage.put("while-dead", 40)
    stage.end(["node-1"])
    shutil.rmtree(stage.cluster.data / "node-1" / "disk-1" / "index")
    stage.start_by_hand("node-1", words)
    yield
    stage.end_by_hand()
    stage.up()


@lane(BESIDE, "a certificate ends in two weeks", ["RondelCertificateExpires"], ["RondelCertificateExpires"])
def certificate_ends(stage):
    yield from certificate(stage, 14 * 86_400 // 60)


@lane(BESIDE, "a certificate ends in a day", ["RondelCertificateExpiresSoon"], ["RondelCertificateExpiresSoon"],
      meanwhile=["RondelCertificateExpires"])
def certificate_ends_soon(stage):
    yield from certificate(stage, 86_400 // 60)


def certificate(stage, seconds):
    kept = stage.work / f"kept-{seconds}"
    shutil.copytree(stage.certificates, kept)
    stage.certify("gateway-2", seconds)
    yield
    stage.install("gateway-2", kept)


@contextlib.contextmanager
def repeating(pause, *calls):
    """All of them again and again, whatever they answer."""
    ended = threading.Event()

    def run():
        while not ended.wait(pause):
            for call in calls:
                with contextlib.suppress(*REFUSALS, OSError):
                    call()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@lane(BESIDE, "a client with a wrong secret", ["RondelAccessRefused"], ["RondelAccessRefused"])
def wrong_secret(stage):
    client = stage.client()
    client._request_signer._credentials.secret_key = "wrong"
    with repeating(0.1, lambda: client.get_object(Bucket=BUCKET, Key="load/1/1")):
        yield


@lane(BESIDE, "strangers without a key", ["RondelAccessRefused"], ["RondelAccessRefused"])
def strangers(stage):
    import raw
    with repeating(0.1, lambda: raw.send(stage.cluster.endpoint, "GET", f"/{BUCKET}/load/1/1")):
        yield


@lane(BESIDE, "one client hangs in more uploads than its share", ["RondelRequestsRejected"], ["RondelRequestsRejected"],
      meanwhile=["RondelRequestsFail"])
def uploads_hang(stage):
    head = upload_head(stage, "/" + BUCKET + "/hanging", 1000)
    with contextlib.ExitStack() as sockets, repeating(0.2, lambda: hang(stage, sockets, head, 40)):
        yield


def upload_head(stage, path, length):
    fields = signing.sign(stage.cluster.env, "PUT", path, [], {"host": f"127.0.0.1:{stage.cluster.port}".encode()})
    lines = [f"PUT {path} HTTP/1.1".encode()] + [name.encode() + b": " + value for name, value in fields.items()]
    return b"\r\n".join([*lines, b"content-length: %d" % length]) + b"\r\n\r\n"


def hang(stage, sockets, head, count):
    for _ in range(count):
        peer = socket.create_connection(("127.0.0.1", stage.cluster.port), timeout=5)
        sockets.callback(peer.close)
        peer.sendall(head + b"x")


@lane(BESIDE, "a gateway's clock is five minutes ahead", ["RondelClockOff"], ["RondelClockOff"])
def gateway_clock(stage):
    stage.shift(["gateway-2"], 5)
    yield
    stage.shift(["gateway-2"], 0)


@lane(BESIDE, "a node's clock is five minutes ahead", ["RondelNodeClockOff"], ["RondelNodeClockOff"])
def node_clock(stage):
    stage.shift(["node-3"], 5)
    yield
    stage.shift(["node-3"], 0)


@lane(BESIDE, "a row was released by hand that an object refers to", ["RondelReferencedStreamReleased"], ["RondelReferencedStreamReleased"])
def released_by_hand(stage):
    stage.put("released", 1)
    stage.cluster.sql("insert into released_streams (stream, size) select stream, stream_size from objects"
                      " where convert_from(key, 'UTF8') = 'released/0'")
    yield


# One fault after another, each alone.

@lane(ALONE, "all copies of an object are damaged", ["RondelCorruptBytes", "RondelBlobsUnreadable"], ["RondelCorruptBytes"])
def copies_damaged(stage):
    body = random.randbytes(200_000)
    client = stage.client()
    client.put_object(Bucket=BUCKET, Key="damaged", Body=body)
    wait_for(lambda: len(stage.spread(body)) >= 3, 30, "three copies on the disks")
    for path, at in stage.spread(body):
        with open(path, "r+b", buffering=0) as file:
            file.seek(at + 1000)
            file.write(bytes(512))
    with repeating(0.5, lambda: client.get_object(Bucket=BUCKET, Key="damaged")["Body"].read()):
        yield
    client.delete_object(Bucket=BUCKET, Key="damaged")


@lane(ALONE, "writes to a disk fail", ["RondelDiskNotOnline"], ["RondelDiskNotOnline"], meanwhile=["RondelProcessDown"])
def disk_fails(stage):
    stage.disk("node-3", broken=1)
    yield
    stage.disk("node-3")
    stage.end(["node-3"])
    stage.up()


@lane(ALONE, "a disk is not mounted", ["RondelDiskUnusable"], ["RondelProcessDown", "RondelDiskUnusable", "RondelDiskNotOnline"])
def disk_not_mounted(stage):
    folder = stage.cluster.data / "node-3" / "disk-2"
    away = folder.with_name("away")
    stage.end(["node-3"])
    folder.rename(away)
    folder.mkdir()
    stage.up()
    yield
    shutil.rmtree(folder)
    away.rename(folder)


@lane(ALONE, "disks fill up", ["RondelSpaceLow"], ["RondelSpaceLow", "RondelDiskNotOnline"], within=240, silent_within=240)
def disks_fill(stage):
    client = stage.client()
    body = random.randbytes(4 << 20)

    def filled():
        """Whether one of them has what the alert goes by."""
        found = {}
        for name in ("free", "dead", "capacity"):
            for labels, value in stage.cluster.samples(f"rondel_node_{name}_bytes"):
                found.setdefault(labels, {})[name] = value
        return any(disk["free"] + disk["dead"] < 0.14 * disk["capacity"] or disk["free"] < 0.129 * disk["capacity"] for disk in found.values())

    n = 0
    while not filled() and n < 300:
        with contextlib.suppress(*REFUSALS):
            client.put_object(Bucket=BUCKET, Key=f"fill/{n}", Body=body)
        n += 1
    yield
    stage.delete("fill/")


@lane(ALONE, "the storage is full", ["RondelStorageFull"], ["RondelSpaceLow", "RondelDiskNotOnline", "RondelStorageFull", "RondelRequestsFail"],
      within=240, silent_within=240, meanwhile=["RondelSpaceLow", "RondelDiskNotOnline", "RondelRequestsFail"],
      needs="rondel_gateway_full_failures_total")
def storage_full(stage):
    client = stage.client()
    body = random.randbytes(4 << 20)
    for n in range(600):
        try:
            client.put_object(Bucket=BUCKET, Key=f"fill/{n}", Body=body)
        except REFUSALS:
            if any(value > 0 for _, value in stage.cluster.samples("rondel_gateway_full_failures_total")):
                break
    with repeating(0.5, lambda: client.put_object(Bucket=BUCKET, Key="fill/more", Body=body)):
        yield
    stage.delete("fill/")


@lane(ALONE, "two of three zones are dead", ["RondelQuorumLost", "RondelProcessDown"], ["RondelQuorumLost", "RondelProcessDown"])
def zones_dead(stage):
    stage.kill(["node-2", "node-3"])
    yield
    stage.up()


@lane(ALONE, "PostgreSQL stutters", ["RondelRequestsSlow"], ["RondelRequestsSlow"], meanwhile=["RondelClockOff"])
def database_stutters(stage):
    """As on a disk or a machine that others use as well: it stands still for a tenth of a second, again and again."""
    client = stage.client()

    def stand_still():
        with stage.frozen(["postgresql"]):
            time.sleep(0.1)

    with repeating(0.1, stand_still), repeating(0.05, lambda: client.head_object(Bucket=BUCKET, Key="load/1/1")):
        yield


@lane(ALONE, "PostgreSQL is stopped", ["RondelDatabaseAway", "RondelNoCoordinator", "RondelRequestsFail"], ["RondelDatabaseAway"])
def database_stopped(stage):
    stage.database.stop()
    yield
    stage.up()


@lane(ALONE, "PostgreSQL is silent", ["RondelDatabaseAway"], ["RondelDatabaseAway"])
def database_silent(stage):
    """As when the network to it is cut: nothing is refused, nothing comes."""
    with stage.frozen(["postgresql"]):
        yield


@lane(ALONE, "no gateway answers, and a node is started", ["RondelNodeWithoutContact", "RondelRingDiffers"],
      ["RondelProcessDown", "RondelNodeWithoutContact"])
def gateways_silent(stage):
    """A node that starts without a gateway and without its cache knows no ring."""
    words = stage.command("node-3")
    with stage.frozen(GATEWAYS):
        stage.kill(["node-3"])
        (stage.cluster.data / "node-3" / "ring.cache").unlink()
        stage.start_by_hand("node-3", words)
        yield
    stage.end_by_hand()
    stage.up()


@lane(ALONE, "a node's clock is a day ahead", ["RondelNodeFencedByClock"], ["RondelNodeClockOff", "RondelNodeFencedByClock"])
def node_fenced(stage):
    stage.shift(["node-2"], 86_400)
    yield
    stage.shift(["node-2"], 0)


@lane(ALONE, "the database's clock is a day ahead", ["RondelDatabaseClockOff"],
      ["RondelDatabaseClockOff"])
def database_clock(stage):
    stage.shift(["postgres"], 86_400)
    yield
    stage.shift(["postgres"], 0)


@lane(ALONE, "all clocks jump ahead together", ["RondelAgesHeldBack"], ["RondelAgesHeldBack", "RondelClockOff", "RondelNodeClockOff"])
def clocks_jump(stage):
    """They are set back as well: for a day the gateways would not believe it, unless an operator says so."""
    everybody = [*GATEWAYS, *NODES, "postgres"]
    stage.shift(everybody, 600)
    yield
    stage.shift(everybody, 0)
    wait_for(lambda: stage.value("rondel_ages_set_back_seconds") > 60, 60, "gateways to see it")
    done = stage.cluster.cli("gc", "confirm-clocks")
    assert done.returncode == 0, done.stdout + done.stderr


@lane(ALONE, "the database is set back to a backup", ["RondelGarbageCollectionHalted", "RondelPurgingStopped"],
      ["RondelGarbageCollectionHalted", "RondelDatabaseAway", "RondelNoCoordinator"])
def database_set_back(stage):
    """While it is restored there is none: those two tell of that when it takes longer than they hold."""
    stage.database.dump()
    stage.put("after-backup", 20)
    # Nodes are told of the database with a heartbeat: what none has seen cannot be missed.
    time.sleep(5)
    stage.database.set_back_dump()
    yield
    for words in (("gc", "restore"), ("gc", "resume")):
        done = stage.cluster.cli(*words)
        assert done.returncode == 0, done.stdout + done.stderr


def all_faults():
    return [fault for lanes in GROUPS for faults in lanes for fault in faults]
