"""A database that is set back while the cluster runs costs nothing that it refers to."""
import random
import re
import time

import boto3

from cluster import Cluster, wait_for
from database import Database, is_halted, measure, purging, removed_everything, wait_past

TRASH = 12


def test_a_dump_restored_into_the_same_server_loses_nothing():
    cluster = Cluster(port=19640, options=["gc.grace=1s", f"gc.trash={TRASH}s"])
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
        wait_for(lambda: measure(cluster, "rondel_node_live_bytes") >= 30 * 3 * 200_000, 60,
            "three copies of everything")
        database.dump()
        for key in bodies:
            client.delete_object(Bucket="kept", Key=key)
        wait_for(lambda: removed_everything(cluster), 30, "the removal of what was deleted")
        trashed = time.monotonic()
        assert measure(cluster, "rondel_node_trash_bytes") > 0
        database.set_back_dump()
        wait_for(lambda: is_halted(cluster) and purging(cluster) == 0, 60, "nodes to notice")
        wait_past(trashed + TRASH + 5)
        for key, body in bodies.items():
            assert client.get_object(Bucket="kept", Key=key)["Body"].read() == body
        assert purging(cluster) == 0
        assert "set back" in cluster.cli("gc", "status").stdout

        restored = cluster.cli("gc", "restore")
        assert restored.returncode == 0, restored.stdout + restored.stderr
        # Not all need be in the trash: the third disk may not have heard of a removal, and a read
        # may have had a copy made again.
        taken_out = int(re.search(r"(\d+) copies were taken out of the trash", restored.stdout)[1])
        assert 0 < taken_out <= 90, restored.stdout
        wait_for(lambda: measure(cluster, "rondel_node_live_bytes") >= 30 * 3 * 200_000, 60,
            "three copies of everything again")
        assert cluster.cli("gc", "resume").returncode == 0
        wait_for(lambda: not is_halted(cluster) and purging(cluster) == cluster.nodes, 60,
            "garbage collection to go on")
        time.sleep(3)
        for key, body in bodies.items():
            assert client.get_object(Bucket="kept", Key=key)["Body"].read() == body

        # And the coordinator works: what is deleted now goes for good.
        live = measure(cluster, "rondel_node_live_bytes")
        for key in list(bodies)[:10]:
            client.delete_object(Bucket="kept", Key=key)
        wait_for(lambda: measure(cluster, "rondel_node_live_bytes") < live - 5_000_000
            and measure(cluster, "rondel_node_trash_bytes") == 0, 60,
                 "what is deleted to be removed and purged")
        assert not is_halted(cluster)
        assert measure(cluster, "rondel_coordinator_leader") == 1
    finally:
        database.wipe()
        cluster.wipe()
