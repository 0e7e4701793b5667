"""What somebody holds in the database, or asks too much of it, costs nobody else: a victim and an attacker."""
import concurrent.futures
import threading

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from attackers import HOLDS, Hold, make_rows
from cluster import Cluster, wait_for


@pytest.fixture(scope="module")
def three():
    cluster = Cluster(gateways=3, options=["metadata.timeout=60s"])
    started = cluster.up()
    assert started.returncode == 0, started.stdout + started.stderr
    yield cluster
    cluster.wipe()


def client_of(cluster, gateway):
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{cluster.port + gateway}", region_name=cluster.env["AWS_REGION"],
                        aws_access_key_id=cluster.env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=cluster.env["AWS_SECRET_ACCESS_KEY"],
                        config=Config(retries={"max_attempts": 1}, signature_version="s3v4", max_pool_connections=64))


def victim_puts(client, bucket, count=60, threads=6):
    """From several threads, so that they share batches with whatever else comes."""
    def put(n):
        client.put_object(Bucket=bucket, Key=f"victim-{n % 40}", Body=b"x")

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(put, range(count)))


class LockWaits(threading.Thread):
    """Looks at the database all the time: the longest that a statement was seen to wait for a lock, in seconds."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.longest, self.looks, self.done = cluster, 0.0, 0, threading.Event()

    def run(self):
        while not self.done.is_set():
            self.longest = max(self.longest, float(self.cluster.sql(
                "select coalesce(extract(epoch from max(clock_timestamp() - query_start)), 0) from pg_stat_activity where wait_event_type = 'Lock'")))
            self.looks += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


@pytest.fixture(scope="module")
def buckets(three):
    client = client_of(three, 0)
    for name in ("victim", "attacked"):
        client.create_bucket(Bucket=name)
    client.put_object(Bucket="attacked", Key="held", Body=b"x")
    return {name: three.sql(f"select id from buckets where name = '{name}'") for name in ("victim", "attacked")}


@pytest.mark.parametrize("held", HOLDS)
def test_a_lock_that_is_held_delays_who_needs_it_alone(three, buckets, held):
    lock, key = HOLDS[held]
    clients = [client_of(three, gateway) for gateway in range(3)]
    hold = Hold(three, lock.format(**buckets))
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        waiting = [pool.submit(clients[n % 3].put_object, Bucket="attacked", Key=key, Body=b"y") for n in range(12)]
        waiting += [pool.submit(clients[n % 3].put_object_tagging, Bucket="attacked", Key="held", Tagging={"TagSet": []})
                    for n in range(6) if held != "insert"]
        with LockWaits(three) as waits:
            for client in clients:
                victim_puts(client, "victim")
        assert not any(answer.done() for answer in waiting), "nobody held it"
        hold.let_go()
        for answer in waiting:
            answer.result(timeout=300)
    # A session would wait 2 s for it, with all that shares its batch.
    assert waits.looks > 0 and waits.longest < 1.5, f"a statement waited {waits.longest:.2f} s for a lock"


def test_many_writers_of_a_key_through_all_gateways_end(three, buckets):
    clients = [client_of(three, gateway) for gateway in range(3)]
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        writers = [pool.submit(clients[n % 3].put_object, Bucket="attacked", Key="hot", Body=b"%d" % n) for n in range(64)]
        for writer in writers:
            writer.result(timeout=300)


def test_a_crowd_of_listings_delays_no_look_up(three, buckets):
    client = client_of(three, 0)
    # 20,000 rows are enough for pages of a thousand to be work.
    make_rows(three, buckets["attacked"], "many/", 20000)
    done = threading.Event()

    def list_all():
        while not done.is_set():
            client.list_objects_v2(Bucket="attacked", Prefix="many/")

    crowd = [threading.Thread(target=list_all) for _ in range(20)]
    for thread in crowd:
        thread.start()
    try:
        other = client_of(three, 0)
        for n in range(15):
            other.create_multipart_upload(Bucket="victim", Key=f"upload-{n}")
            other.head_bucket(Bucket="victim")
            # A quarter of what a gateway has for requests lists, and no more.
            assert int(three.sql("select count(*) from pg_stat_activity where state = 'active' and query like '%list_heads%'"
                                 " and pid <> pg_backend_pid()")) <= 2
    finally:
        done.set()
        for thread in crowd:
            thread.join()


def test_a_bucket_goes_at_once_with_many_uploads(three, buckets):
    client = client_of(three, 0)
    client.create_bucket(Bucket="with-uploads")
    number = three.sql("select id from buckets where name = 'with-uploads'")
    three.sql("insert into uploads (id, bucket_id, key, initiator_account, owner_account, checksum_type)"
              f" select decode(lpad(to_hex(n), 32, '0'), 'hex'), {number}, 'one', 'o', 'o', 1 from generate_series(1, 20000) n")
    page = client.list_multipart_uploads(Bucket="with-uploads", MaxUploads=1000)
    assert len(page["Uploads"]) == 1000 and page["IsTruncated"]
    client.delete_bucket(Bucket="with-uploads")
    with pytest.raises(ClientError):
        client.head_bucket(Bucket="with-uploads")
    wait_for(lambda: three.sql(f"select count(*) from uploads where bucket_id = {number}") == "0", 30, "its uploads to go")
    wait_for(lambda: three.sql("select count(*) from deleted_buckets") == "0", 30, "nothing to be left")
