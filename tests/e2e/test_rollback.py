"""A database that is set back while the cluster runs costs nothing that it refers to."""
import random
import re
import time

import boto3
import botocore.exceptions

from cluster import Cluster, wait_for
from database import Database, is_halted, measure, purging, removed_everything, wait_past

TRASH = 40   # What was deleted is set back within it.


def status_of(call):
    """Of a request that is made again while the database is away."""
    found = []

    def answered():
        try:
            found.append(call()["ResponseMetadata"]["HTTPStatusCode"])
        except botocore.exceptions.ClientError as error:
            found.append(error.response["ResponseMetadata"]["HTTPStatusCode"])
        return found[-1] != 503
    wait_for(answered, 15, "the database to be back")
    return found[-1]


def live(cluster):
    return measure(cluster, "rondel_node_live_bytes")


def trash(cluster):
    return measure(cluster, "rondel_node_trash_bytes")


def test_a_dump_restored_into_the_same_server_loses_nothing():
    cluster = Cluster(options=["gc.grace=1s", f"gc.trash={TRASH}s"])
    started = cluster.up()
    assert started.returncode == 0, started.stdout + started.stderr
    database = Database(cluster)
    try:
        client = cluster.boto3(boto3)
        client.create_bucket(Bucket="kept")
        bodies = {f"k{n}": random.randbytes(200_000) for n in range(30)}
        for key, body in bodies.items():
            client.put_object(Bucket="kept", Key=key, Body=body)
        # An answer needs two copies; the third may come later, by catch-up.
        wait_for(lambda: live(cluster) >= 30 * 3 * 200_000, 60, "three copies of everything")
        whole = live(cluster)
        database.dump()
        # In one request: what goes first must not leave the trash before the database is set back.
        client.delete_objects(Bucket="kept", Delete={"Objects": [{"Key": key} for key in bodies]})
        # Two disks of each copy say so; the third may learn it from their journals.
        wait_for(lambda: removed_everything(cluster) and trash(cluster) == whole, 60,
            "the removal of what was deleted")
        trashed = time.monotonic()
        assert live(cluster) == 0
        client.create_bucket(Bucket="forgotten")
        client.put_object(Bucket="forgotten", Key="k", Body=b"")
        database.set_back_dump()
        # The gateway may still know the bucket; another one has not got its number.
        assert status_of(lambda: client.create_bucket(Bucket="made-since")) == 200
        assert status_of(lambda: client.put_object(Bucket="forgotten", Key="k", Body=b"")) != 200
        assert "Contents" not in client.list_objects_v2(Bucket="made-since")
        wait_for(lambda: is_halted(cluster) and purging(cluster) == 0, 60, "nodes to notice")
        wait_past(trashed + TRASH + 5)
        for key, body in bodies.items():
            assert client.get_object(Bucket="kept", Key=key)["Body"].read() == body
        assert purging(cluster) == 0
        assert (live(cluster), trash(cluster)) == (0, whole), "nothing was purged"
        assert "set back" in cluster.cli("gc", "status").stdout

        restored = cluster.cli("gc", "restore")
        assert restored.returncode == 0, restored.stdout + restored.stderr
        # Disks are looked through side by side, and hear from each other's journals what was taken
        # out: of each object one copy is taken out by the command, the others by it or by that.
        taken_out = int(re.search(r"(\d+) copies were taken out of the trash", restored.stdout)[1])
        assert 30 <= taken_out <= 90, restored.stdout
        wait_for(lambda: (live(cluster), trash(cluster)) == (whole, 0), 60,
            "three copies of everything again")
        assert cluster.cli("gc", "resume").returncode == 0
        wait_for(lambda: not is_halted(cluster) and purging(cluster) == cluster.nodes, 60,
            "garbage collection to go on")
        time.sleep(3)
        for key, body in bodies.items():
            assert client.get_object(Bucket="kept", Key=key)["Body"].read() == body

        # And the coordinator works: what is deleted now goes for good.
        for key in list(bodies)[:10]:
            client.delete_object(Bucket="kept", Key=key)
        wait_for(lambda: live(cluster) == whole * 2 // 3 and trash(cluster) == 0, 60,
                 "what is deleted to be removed and purged")
        assert not is_halted(cluster)
        assert measure(cluster, "rondel_coordinator_leader") == 1
    finally:
        database.wipe()
        cluster.wipe()
