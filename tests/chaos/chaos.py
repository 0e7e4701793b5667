"""Runs every fault on a cluster under load, in an order that the seed decides, and checks what must hold. README.md says what."""
import argparse
import contextlib
import os
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import boto3  # noqa: E402

import load  # noqa: E402
from cluster import Cluster, is_running, wait_for  # noqa: E402
from faults import FAULTS  # noqa: E402

BUCKET = "chaos"
SIZES = (0, 100, 4096, 4096, 4096, 70_000, 70_000, 400_000, 9 << 20)


class Violation(Exception):
    pass


class Stage:
    """The cluster, and what faults do to it."""

    def __init__(self, cluster, work, dice):
        self.cluster = cluster
        self.work = work
        self.dice = dice
        self.faults = work / "faults"
        self.kills = 0
        self.bits_flipped = 0
        self.expected = {}

    def start(self):
        self.faults.mkdir()
        self.faults.chmod(0o755)
        self.environment = {"LD_PRELOAD": str(self.work / "faulty_disk.so"), "RONDEL_FAULTS": str(self.faults),
                            "RONDEL_FAULTS_BELOW": str(self.cluster.data / "node-")}
        self.up()
        self.cluster.boto3(boto3).create_bucket(Bucket=BUCKET)

    def up(self):
        done = self.cluster.up(environment=self.environment)
        if done.returncode != 0:
            raise Violation("the cluster does not come up: " + done.stdout[-500:] + done.stderr[-1500:])
        self.expected = self.cluster.processes()

    def nodes(self):
        return sorted(name for name in self.cluster.processes() if name.startswith("node-"))

    def gateways(self):
        return sorted(name for name in self.cluster.processes() if name.startswith("gateway-"))

    def any_node(self):
        return self.dice.choice(self.nodes())

    def forget(self, names):
        for name in names:
            self.expected.pop(name, None)

    def kill(self, names):
        self.forget(names)
        self.kills += len(names)
        self.cluster.kill_together(names)

    def end(self, names, number):
        pids = [self.cluster.processes()[name] for name in names]
        self.forget(names)
        for pid in pids:
            os.kill(pid, number)
        wait_for(lambda: not any(is_running(pid) for pid in pids), 60, f"{names} to end")

    @contextlib.contextmanager
    def frozen(self, names):
        pids = [pid for name in names for pid in self.cluster.pids_of(name)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def disk(self, node, delay_us=0, full=0, broken=0):
        path = self.faults / str(self.cluster.processes()[node])
        if delay_us == full == broken == 0:
            path.unlink()
        else:
            path.write_text(f"{delay_us} {full} {broken}\n")

    def lag(self):
        return max((value for _, value in self.cluster.samples("rondel_replication_lag_seconds")), default=0.0)

    def check_processes(self):
        gone = [name for name, pid in self.expected.items() if not is_running(pid)]
        if gone:
            raise Violation(f"ended by themselves: {gone}")

    def settle(self):
        """Seconds until every process answers and no disk lacks anything; the state must last."""
        began = time.monotonic()
        calm = 0
        while calm < 3:
            if time.monotonic() - began > 180:
                raise Violation(f"the replication lag stays at {self.lag():.1f} s")
            answers = len(self.cluster.samples("rondel_build_info")) == len(self.cluster.metric_urls())
            calm = calm + 1 if answers and self.lag() == 0 else 0
            time.sleep(0.4)
        self.check_processes()
        return time.monotonic() - began


class Meter:
    """What the load did since the last look."""

    def __init__(self, writers, readers):
        self.writers = writers
        self.readers = readers
        self.last = self.now()

    def now(self):
        history = self.writers.history
        return [history.acknowledged, history.failed, self.readers.done, self.readers.failed]

    def lap(self):
        now = self.now()
        counts = [new - old for new, old in zip(now, self.last)]
        longest = [self.writers.longest, self.readers.longest]
        self.last = now
        self.writers.longest = self.readers.longest = 0.0
        return counts + longest


def run_fault(stage, name, meter, seconds):
    function, away = FAULTS[name]
    meter.lap()
    acting = function(stage)
    target = next(acting)
    time.sleep(seconds)
    during = meter.lap()
    stage.check_processes()
    next(acting, None)
    settled = stage.settle()
    meter.lap()
    written, unwritten, read, unread, longest_put, longest_get = during
    print(f"{name:20} {target:20} {written:7} {unwritten:7} {longest_put:8.2f} {read:7} {unread:7} {longest_get:8.2f} {settled:9.1f}", flush=True)
    if meter.readers.wrong:
        raise Violation("\n".join(meter.readers.wrong[:5]))
    if not away and (written == 0 or read == 0):
        raise Violation(f"{name}: no request succeeded meanwhile")


def run(arguments, stage):
    stage.start()
    cluster = stage.cluster
    gateways = len(stage.gateways())
    turn = iter(range(1_000_000))

    def make_client():
        return cluster.boto3(boto3, gateway=next(turn) % gateways + 1, connect_timeout=3, read_timeout=20)

    writers = load.Writers(make_client, BUCKET, threads=arguments.writers, sizes=SIZES, keys=60, deletes=0.08)
    readers = load.Readers(make_client, BUCKET, writers.history, threads=arguments.readers)
    wait_for(lambda: writers.history.acknowledged > 200, 60, "the first 200 objects")
    meter = Meter(writers, readers)
    print(f"{'fault':20} {'of':20} {'PUT':>7} {'failed':>7} {'longest':>8} {'GET':>7} {'failed':>7} {'longest':>8} {'lag 0 in':>9}", flush=True)
    faults = 0
    for _ in range(arguments.rounds):
        names = sorted(arguments.only or FAULTS)
        stage.dice.shuffle(names)
        for name in names:
            run_fault(stage, name, meter, arguments.seconds)
            faults += 1
    readers.stop()
    history = writers.stop()
    stage.settle()
    checked = [load.check(cluster.boto3(boto3, gateway=number + 1), BUCKET, history) for number in range(gateways)]
    corrupt = sum(value for name in ("rondel_node_corrupt_reads_total", "rondel_gateway_corrupt_reads_total") for _, value in cluster.samples(name))
    print(f"{faults} faults, {stage.kills} processes killed, {stage.bits_flipped} bits flipped, {corrupt:.0f} damaged reads noticed since the last restarts")
    print(f"{history.acknowledged} requests acknowledged, {history.failed} without a good answer, {readers.done} reads compared meanwhile, "
          f"{readers.failed} without a good answer")
    print(f"{len(history.allowed)} keys, {sum(checked)} objects compared at the end through {gateways} gateways, 0 lost, 0 wrong, lag {stage.lag():.0f} s")


def main():
    parser = argparse.ArgumentParser(prog="run.sh")
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--port", type=int, help="first of 500; default: free ones")
    parser.add_argument("--seconds", type=float, default=8, help="how long each fault lasts")
    parser.add_argument("--rounds", type=int, default=1, help="how often every fault comes")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--only", action="append", choices=sorted(FAULTS), help="this fault alone; may be given several times")
    arguments = parser.parse_args()
    cluster = Cluster(port=arguments.port, gateways=2, options=["gc.grace=2s", "gc.trash=2s"])
    print(f"seed {arguments.seed}")
    try:
        run(arguments, Stage(cluster, arguments.work, random.Random(arguments.seed)))
    except (Violation, AssertionError) as violation:
        print(f"VIOLATION (seed {arguments.seed}): {violation}\nThe data stays in {cluster.data}", flush=True)
        return 1
    finally:
        cluster.down()
    cluster.wipe()
    return 0


if __name__ == "__main__":
    sys.exit(main())
