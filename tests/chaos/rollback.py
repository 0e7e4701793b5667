"""Sets the database of a cluster back in every way we know, waits until all trash has ended, and
reads everything. README.md says what must hold."""
import argparse
import os
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import boto3  # noqa: E402

from cluster import Cluster, wait_for  # noqa: E402
from database import Database, is_halted, measure, purging  # noqa: E402
from database import removed_everything, wait_past  # noqa: E402

BUCKET = "rollback"
TRASH = 25


class Drill:
    """60 objects, deleted after the backup, and referred to again when the database is set back."""

    def __init__(self, cluster, dice):
        self.cluster = cluster
        self.dice = dice
        done = cluster.up()
        assert done.returncode == 0, done.stdout + done.stderr
        self.database = Database(cluster)
        self.client = cluster.boto3(boto3)
        self.client.create_bucket(Bucket=BUCKET)
        self.bodies = {}
        self.put("old", 60)

    def up(self):
        done = self.cluster.up()
        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]

    def put(self, name, count):
        for n in range(count):
            body = self.dice.randbytes(self.dice.choice((4096, 70_000, 400_000)) if n else 17 << 20)
            self.client.put_object(Bucket=BUCKET, Key=f"{name}/{n}", Body=body)
            self.bodies[f"{name}/{n}"] = body

    def delete_all(self):
        for key in self.bodies:
            self.client.delete_object(Bucket=BUCKET, Key=key)
        wait_for(lambda: removed_everything(self.cluster), 60, "the removal of what was deleted")
        self.trashed_at = time.monotonic()
        assert measure(self.cluster, "rondel_node_trash_bytes") > 0

    def read_all(self):
        gone = []
        for key, body in self.bodies.items():
            try:
                if self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() != body:
                    gone.append(key)
            except Exception as error:
                gone.append(f"{key} ({error})")
        assert not gone, f"{len(gone)} of {len(self.bodies)} objects are lost: {gone[:5]}"

    def expect_noticed(self):
        began = time.monotonic()
        wait_for(lambda: is_halted(self.cluster) and purging(self.cluster) == 0, 60,
            "nodes to notice that the database was set back")
        print(f"  noticed after {time.monotonic() - began:.1f} s: {self.reason()}", flush=True)

    def reason(self):
        return self.cluster.sql("select halted from garbage_collection")

    def past_the_trash(self):
        wait_past(self.trashed_at + TRASH + 5)
        self.read_all()

    def restore(self, expected=0):
        done = self.cluster.cli("gc", "restore")
        assert done.returncode == expected, done.stdout + done.stderr
        print("  " + done.stdout.strip().replace("\n", "\n  "), flush=True)
        return done.stdout

    def resume(self):
        done = self.cluster.cli("gc", "resume")
        assert done.returncode == 0, done.stdout + done.stderr

    def expect_working(self):
        """It goes on without a restart: what is deleted is removed and purged, and nothing else."""
        wait_for(lambda: not is_halted(self.cluster) and purging(
            self.cluster) == self.cluster.nodes, 60, "garbage collection to go on")
        self.read_all()
        live = measure(self.cluster, "rondel_node_live_bytes")
        large = next(key for key, body in self.bodies.items() if len(body) > 10 << 20)
        self.client.delete_object(Bucket=BUCKET, Key=large)
        removed = 2.5 * len(self.bodies.pop(large))
        wait_for(lambda: measure(self.cluster, "rondel_node_live_bytes") < live - removed
            and measure(self.cluster, "rondel_node_trash_bytes") == 0,
                 TRASH + 60, "what is deleted now to be removed and purged")
        assert not is_halted(self.cluster), self.reason()
        assert measure(self.cluster, "rondel_coordinator_leader") == 1
        self.read_all()

    def confirm(self):
        self.restore()
        self.resume()
        self.expect_working()


def files(drill):
    """A copy of the files of the server, stopped for it, put back."""
    drill.database.stop()
    drill.database.copy()
    drill.up()
    drill.delete_all()
    drill.database.stop()
    drill.database.set_back_files()
    drill.up()
    drill.expect_noticed()
    drill.past_the_trash()
    drill.confirm()


def dump(drill):
    """A dump, restored into the same server while gateways and nodes run."""
    drill.database.dump()
    drill.delete_all()
    drill.database.set_back_dump()
    drill.expect_noticed()
    drill.past_the_trash()
    drill.confirm()


def alone(drill):
    """The restored database runs alone, and writes marks, for longer than the backup is old before
    any node starts."""
    drill.database.stop()
    drill.database.copy()
    copied_at = time.monotonic()
    drill.up()
    drill.delete_all()
    drill.cluster.down()
    drill.database.set_back_files()
    drill.database.start_alone()
    age = time.monotonic() - copied_at
    marks = int(drill.database.psql("select max(counter) from cluster_marks", "rondel"))
    for _ in range(int(age) + 2):
        drill.database.psql("select count(write_mark()) from generate_series(1, 20); select "
            "pg_switch_wal()", "rondel")
        time.sleep(1)
    written = int(drill.database.psql("select max(counter) from cluster_marks", "rondel")) - marks
    print(f"  the backup was {age:.0f} s old; {written} marks since", flush=True)
    os.kill(drill.database.pid(), signal.SIGINT)
    wait_for(lambda: not (drill.database.folder / "postmaster.pid").exists(), 60,
        "PostgreSQL to end")
    drill.up()
    drill.client = drill.cluster.boto3(boto3)
    drill.expect_noticed()
    drill.past_the_trash()
    drill.confirm()


def away(drill):
    """A node is away while the database is set back, trash is restored and everything confirmed, and
    comes back when its trash has ended by its clock."""
    drill.database.dump()
    before = node_live(drill, "node-1")
    drill.delete_all()
    drill.cluster.kill("node-1")
    drill.database.set_back_dump()
    wait_for(lambda: is_halted(drill.cluster) and purging(drill.cluster) == 0, 60,
        "nodes to notice")
    assert "which is away" in drill.restore(expected=1)
    drill.resume()
    drill.past_the_trash()
    wait_for(lambda: not is_halted(drill.cluster), 30, "the coordinator to go on")
    drill.up()
    wait_for(lambda: drill.cluster.sql(WAITING) == "0", 60,
        "the disks of the node to be looked through")
    wait_for(lambda: purging(drill.cluster) == drill.cluster.nodes, 30, "every node to purge")
    time.sleep(3)
    now = node_live(drill, "node-1")
    assert now >= before * 0.95, f"node-1 had {before} bytes, and has {now}"
    print(f"  node-1 has {now / before:.0%} of its bytes back", flush=True)
    drill.expect_working()


WAITING = ("select count(*) from nodes n cross join jsonb_array_elements(n.disks) d cross join "
    "garbage_collection g"
           " left join trash_restores t on t.disk = decode(d->>'id', 'hex') where "
               "coalesce(t.number, 0) < g.restore_number")


def node_live(drill, name):
    port = drill.cluster.sql(f"select operations_address from nodes order by address offset "
        f"{int(name[5:]) - 1} limit 1")
    text = drill.cluster.metrics(f"http://{port}/metrics")
    return sum(float(line.split()[-1]) for line in text.splitlines()
        if line.startswith("rondel_node_live_bytes{"))


def promoted(drill):
    """A standby that had everything is promoted: nobody is needed."""
    drill.database.make_standby()
    drill.put("new", 5)
    drill.database.stop()
    drill.database.promote()
    drill.up()
    drill.expect_working()
    time.sleep(5)
    assert not is_halted(drill.cluster), drill.reason()


def promoted_late(drill):
    """A standby that lacked the last 20 s is promoted."""
    drill.database.make_standby()
    drill.put("new", 5)
    time.sleep(1)
    drill.database.stop_standby()
    drill.delete_all()
    time.sleep(max(0.0, 20 - (time.monotonic() - drill.trashed_at)))
    drill.database.stop(signal.SIGQUIT)
    drill.database.start_alone(drill.database.standby, drill.database.standby_socket)
    drill.database.promote()
    drill.up()
    drill.expect_noticed()
    drill.past_the_trash()
    drill.confirm()


DRILLS = {"files": files, "dump": dump, "alone": alone, "away": away, "promoted": promoted,
    "promoted late": promoted_late}


def main():
    parser = argparse.ArgumentParser(prog="rollback.sh")
    parser.add_argument("--port", type=int, help="first of 500; default: free ones")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", action="append", choices=sorted(DRILLS),
        help="this drill alone; may be given several times")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    failed = 0
    for name in arguments.only or DRILLS:
        began = time.monotonic()
        print(f"{name}: {' '.join(DRILLS[name].__doc__.split())}", flush=True)
        cluster = Cluster(port=arguments.port, options=["gc.grace=1s", f"gc.trash={TRASH}s"])
        drill = None
        try:
            drill = Drill(cluster, random.Random(arguments.seed))
            DRILLS[name](drill)
            seconds = time.monotonic() - began
            print(f"  {len(drill.bodies)} objects compared, 0 lost, {seconds:.0f} s", flush=True)
        except AssertionError as violation:
            failed += 1
            print(f"VIOLATION in {name} (seed {arguments.seed}): {violation}\nThe data stays in "
                f"{cluster.data}", flush=True)
            cluster.down()
            continue
        finally:
            if drill is not None:
                drill.database.wipe()
        cluster.wipe()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
