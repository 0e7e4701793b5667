"""Runs every attack on a real cluster beside a victim, and prints what both got. README.md says what must hold."""
import argparse
import contextlib
import pathlib
import resource
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import attacks  # noqa: E402
import measures  # noqa: E402
from cluster import BUILD, ROOT, Cluster, is_running  # noqa: E402
from victim import BUCKET, Victim, client_of  # noqa: E402

MEASURES = {"fairness": measures.fairness, "memory": measures.memory_of_connections}


class Stage:
    """A cluster of one build with what victims and attackers have in it."""

    def __init__(self, label, tree, build):
        self.label = label
        self.cluster = Cluster(tree=tree, build=build)

    def start(self):
        started = self.cluster.up()
        assert started.returncode == 0, started.stdout + started.stderr
        client_of(self.cluster.endpoint, self.cluster.env).create_bucket(Bucket=BUCKET)
        attacks.prepare(self.cluster)

    def fresh_gateway(self):
        """What an attack left behind is not the next one's."""
        self.gateway = measures.fresh_gateway(self.cluster)


class PeakMemory:
    """The most resident memory of the gateway (MiB) while the context lasts."""

    def __init__(self, cluster):
        self.cluster, self.peak, self.done = cluster, 0.0, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def _run(self):
        while not self.done.is_set():
            with contextlib.suppress(OSError, StopIteration, KeyError):
                self.peak = max(self.peak, attacks.memory(self.cluster, "gateway-1"))
            self.done.wait(0.1)


def run_attack(stage, victim, attack, seconds):
    """One attack on one build: its lines are printed; what did not hold is returned."""
    cluster = stage.cluster
    stage.fresh_gateway()
    victim.work(cluster.endpoint, cluster.env, 1)   # Connections, caches.
    calm = victim.work(cluster.endpoint, cluster.env, seconds)
    before = attacks.memory(cluster, "gateway-1")
    with PeakMemory(cluster) as memory:
        try:
            with attack.context(cluster) as got:
                time.sleep(2)   # The attack is what it is from here on.
                during = victim.work(cluster.endpoint, cluster.env, seconds)
                result = got()
        except Exception as error:   # Of the attacker: a build may refuse what he prepares.
            print(f"  {stage.label:6} {attack.name:28} the attack itself ended: {type(error).__name__}: {str(error)[:200]}", flush=True)
            return [f"{attack.name}: the attack ended early"]
    kept = during.rate / calm.rate if calm.rate else 0.0
    print(f"  {stage.label:6} calm   {calm.text()}, {len(calm.errors)} errors\n"
          f"  {'':6} during {during.text()}, {len(during.errors)} errors, kept {kept:.2f}"
          f"{' of the ' + format(attack.keeps, '.2f') + ' it should' if kept < attack.keeps else ''}\n"
          f"  {'':6} attacker: {result}\n  {'':6} gateway: {before:.0f} MiB before, {memory.peak:.0f} at most", flush=True)
    for text, count in sorted({text: during.errors.count(text) for text in during.errors}.items(), key=lambda one: -one[1])[:2]:
        print(f"  {'':6} {count} x {text}", flush=True)
    ROWS.append((attack.name, stage.label, calm, during, kept, before, memory.peak))
    return ([f"{attack.name}: {len(during.errors)} errors, as: {during.errors[0]}"] if during.errors else []) + \
        ([f"{attack.name}: a victim kept {kept:.2f} of his rate, less than {attack.keeps}"] if kept < attack.keeps else []) + \
        ([f"{attack.name}: the gateway has ended"] if not is_running(stage.gateway) else [])


ROWS = []


def print_table():
    if not ROWS:
        return
    print(f"\n{'attack':28} {'build':6} {'calm/s':>7} {'p99 ms':>7} {'during':>7} {'p99 ms':>7} {'errors':>6} {'kept':>5} {'MiB':>5} {'peak':>5}")
    for name, label, calm, during, kept, before, peak in ROWS:
        print(f"{name:28} {label:6} {calm.rate:7.0f} {calm.p99 * 1000:7.0f} {during.rate:7.0f} {during.p99 * 1000:7.0f}"
              f" {len(during.errors):6} {kept:5.2f} {before:5.0f} {peak:5.0f}")


def tree_of(build):
    """The checkout that a build folder (TREE/build/PRESET) belongs to: its scripts and migrations go with its programs."""
    tree = build.parents[1]
    if not (tree / "deploy/local/up.sh").exists():
        sys.exit(f"hostile.py: {build} is no build folder of a checkout (TREE/build/PRESET)")
    return tree


def run_attacks(wanted, arguments):
    victim = Victim()   # Before there are threads.
    failures = []
    with contextlib.ExitStack() as stack:
        stages = [Stage("before", tree_of(arguments.base_bin), arguments.base_bin)] if arguments.base_bin else []
        stages.append(Stage("after" if arguments.base_bin else "this", ROOT, BUILD))
        for stage in stages:
            stack.callback(stage.cluster.wipe)
            stage.start()
        for attack in wanted:
            print(f"\n{attack.name}: {attack.what}", flush=True)
            for stage in stages:
                found = run_attack(stage, victim, attack, arguments.seconds)
                failures += found if stage is stages[-1] else []
        victim.close()
    return failures


def main():
    names = [attack.name for attack in attacks.ATTACKS] + list(MEASURES)
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-bin", type=lambda text: pathlib.Path(text).resolve(), help="an older build: what the victim saw before stands beside")
    parser.add_argument("--seconds", type=float, default=20, help="how long a victim works, without an attack and during each (20)")
    parser.add_argument("--rounds", type=int, default=7, help="of fairness and memory (7)")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help="this attack or measure alone; repeatable")
    parser.add_argument("--list", action="store_true", help="the names")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{attack.name:28} {attack.what}" for attack in attacks.ATTACKS) + "\n" + "\n".join(MEASURES))
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))

    wanted = [attack for attack in attacks.ATTACKS if not arguments.only or attack.name in arguments.only]
    failures = run_attacks(wanted, arguments) if wanted else []
    for name, measure in MEASURES.items():
        if not arguments.only or name in arguments.only:
            failures += measure(arguments, tree_of)
    print_table()
    print("\n" + ("\n".join("FAILED " + failure for failure in failures) or "Nobody else saw an error, or lost more than his share."))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
