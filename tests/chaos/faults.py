"""The faults: generators that break something of a Stage, yield what was broken, and mend it when resumed.

`kills` counts processes ended with SIGKILL on purpose; `away` says that requests may fail meanwhile (their gateway or the database is away).
"""
import signal
import time

FAULTS = {}


def fault(name, away=False):
    def register(function):
        FAULTS[name] = (function, away)
        return function
    return register


@fault("node killed")
def node_killed(stage):
    victim = stage.any_node()
    stage.kill([victim])
    yield victim
    stage.up()


@fault("node cut off")
def node_stopped(stage):
    """Its connections stay open and nothing comes: what a partition looks like from the other side."""
    victim = stage.any_node()
    with stage.frozen([victim]):
        yield victim


@fault("node flapping")
def node_flapping(stage):
    victim = stage.any_node()
    for _ in range(3):
        with stage.frozen([victim]):
            time.sleep(1.5)
        time.sleep(1)
    yield victim


@fault("gateway killed", away=True)
def gateway_killed(stage):
    victim = stage.dice.choice(stage.gateways())
    stage.kill([victim])
    yield victim
    stage.up()


@fault("gateway stopped", away=True)
def gateway_stopped(stage):
    """Longer than the coordinator's lock and the nodes' ring contact last."""
    victim = stage.dice.choice(stage.gateways())
    with stage.frozen([victim]):
        yield victim


@fault("database killed", away=True)
def database_killed(stage):
    stage.kill(["postgresql"])
    yield "postgresql"
    stage.up()


@fault("database restarted", away=True)
def database_restarted(stage):
    stage.end(["postgresql"], signal.SIGINT)
    yield "postgresql"
    stage.up()


@fault("database stopped", away=True)
def database_stopped(stage):
    with stage.frozen(["postgresql"]):
        yield "postgresql"


@fault("all nodes killed", away=True)
def nodes_killed(stage):
    stage.kill(stage.nodes())
    yield "all nodes"
    stage.up()


@fault("everything killed", away=True)
def everything_killed(stage):
    stage.kill(sorted(stage.cluster.processes()))
    yield "everything"
    stage.up()


@fault("rolling restart")
def rolling_restart(stage):
    for node in stage.nodes():
        stage.end([node], signal.SIGTERM)
        stage.up()
    yield "every node in turn"


@fault("disk slow")
def disk_slow(stage):
    victim = stage.any_node()
    stage.disk(victim, delay_us=50_000)
    yield victim
    stage.disk(victim)


@fault("disk full")
def disk_full(stage):
    victim = stage.any_node()
    stage.disk(victim, full=1)
    yield victim
    stage.disk(victim)


@fault("disk broken")
def disk_broken(stage):
    """Writes and flushes fail; a node that restarts on a mended disk goes on."""
    victim = stage.any_node()
    stage.disk(victim, broken=1)
    yield victim
    stage.disk(victim)
    stage.end([victim], signal.SIGTERM)
    stage.up()


@fault("bit rot")
def bit_rot(stage):
    """One node alone rots in a whole run: with three copies no object loses more than one to it."""
    victim = "node-1"
    stage.kill([victim])
    rot(stage, stage.cluster.data / victim, 200)
    yield victim
    stage.up()


def rot(stage, folder, bits):
    """Flips bits in the part of segment files that holds data."""
    files = [path for path in folder.rglob("*") if path.is_file() and "/segments/" in str(path)]
    written = {path: path.stat().st_blocks * 512 for path in files}
    for _ in range(bits):
        path = stage.dice.choice([path for path in files if written[path] > 0])
        with open(path, "r+b", buffering=0) as file:
            at = stage.dice.randrange(8192, max(8193, min(path.stat().st_size, 16 << 20)))
            file.seek(at)
            byte = file.read(1)
            if byte and byte != b"\0":
                file.seek(at)
                file.write(bytes([byte[0] ^ 1 << stage.dice.randrange(8)]))
                stage.bits_flipped += 1
