"""What somebody holds in the database, or asks too much of it, costs nobody else: a victim and an attacker."""
import concurrent.futures
import subprocess
import threading
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cluster import Cluster, wait_for
from database import PROGRAMS

HELD = 3.0
KEYS = 40


@pytest.fixture(scope="module")
def three():
    cluster = Cluster(port=17400, gateways=3)
    started = cluster.up()
    assert started.returncode == 0, started.stdout + started.stderr
    yield cluster
    cluster.wipe()


def client_of(cluster, gateway):
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{cluster.port + gateway}", region_name=cluster.env["AWS_REGION"],
                        aws_access_key_id=cluster.env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=cluster.env["AWS_SECRET_ACCESS_KEY"],
                        config=Config(retries={"max_attempts": 1}, signature_version="s3v4", max_pool_connections=64))


class Hold:
    """A transaction in psql that takes locks and sleeps; `over()` is when it has let go."""

    def __init__(self, cluster, lock):
        self.mark = f"hold-{time.monotonic_ns()}"
        self.psql = subprocess.Popen([str(PROGRAMS / "psql"), "-X", "-q", "-d", cluster.dsn(), "-c",
            f"begin; {lock}; select pg_sleep({HELD}), '{self.mark}'; rollback"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_for(lambda: cluster.sql("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") != "0", 10, "the lock")

    def over(self):
        return self.psql.poll() is not None

    def end(self):
        _, errors = self.psql.communicate(timeout=30)
        assert self.psql.returncode == 0, errors


def victim_puts(client, bucket, seconds):
    """Every PUT's time, from several threads, so that they share batches with whatever else comes."""
    times, failed = [], []
    end = time.monotonic() + seconds

    def put(thread):
        n = 0
        while time.monotonic() < end:
            begin = time.monotonic()
            try:
                client.put_object(Bucket=bucket, Key=f"victim-{thread}-{n % KEYS}", Body=b"x")
            except ClientError as error:
                failed.append(str(error))
            times.append(time.monotonic() - begin)
            n += 1

    threads = [threading.Thread(target=put, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, failed


@pytest.fixture(scope="module")
def buckets(three):
    client = client_of(three, 0)
    for name in ("victim", "attacked"):
        client.create_bucket(Bucket=name)
    client.put_object(Bucket="attacked", Key="held", Body=b"x")
    return {name: three.sql(f"select id from buckets where name = '{name}'") for name in ("victim", "attacked")}


HOLDS = {
    "head": ("select from objects where bucket_id = {attacked} and key = 'held' for update", "held"),
    "bucket": ("select from buckets where id = {attacked} for update", "any"),
    "insert": ("insert into objects (bucket_id, key, version, is_null, delete_marker, size, etag, owner_account)"
               " values ({attacked}, 'new', '\\x00', true, false, 0, '', '')", "new"),
}


@pytest.mark.parametrize("held", HOLDS)
def test_a_lock_that_is_held_delays_who_needs_it_alone(three, buckets, held):
    lock, key = HOLDS[held]
    clients = [client_of(three, gateway) for gateway in range(3)]
    hold = Hold(three, lock.format(**buckets))
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        waiting = [pool.submit(clients[n % 3].put_object, Bucket="attacked", Key=key, Body=b"y") for n in range(12)]
        waiting += [pool.submit(clients[n % 3].put_object_tagging, Bucket="attacked", Key="held", Tagging={"TagSet": []})
                    for n in range(6) if held != "insert"]
        times, failed = victim_puts(clients[0], "victim", HELD - 1.5)
        assert not hold.over(), "the victim's time was the lock's"
        assert not failed, failed[:3]
        assert max(times) < 1.0, f"a PUT took {max(times):.2f} s of {len(times)}"
        hold.end()
        for answer in waiting:
            answer.result(timeout=30)


def test_many_writers_of_a_key_through_all_gateways_end(three, buckets):
    clients = [client_of(three, gateway) for gateway in range(3)]
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        begin = time.monotonic()
        writers = [pool.submit(clients[n % 3].put_object, Bucket="attacked", Key="hot", Body=b"%d" % n) for n in range(64)]
        for writer in writers:
            writer.result(timeout=30)
        assert time.monotonic() - begin < 5.0


def test_a_crowd_of_listings_delays_no_look_up(three, buckets):
    client = client_of(three, 0)
    # 20,000 rows are enough for pages of a thousand to be work.
    three.sql("insert into objects (bucket_id, key, version, is_null, delete_marker, size, etag, owner_account)"
              f" select {buckets['attacked']}, convert_to('many/' || n, 'UTF8'), '\\x00000000000000000000000000000000', true, false,"
              " 0, 'e', 'o' from generate_series(1, 20000) n")
    done = threading.Event()

    def list_all():
        while not done.is_set():
            client.list_objects_v2(Bucket="attacked", Prefix="many/")

    crowd = [threading.Thread(target=list_all) for _ in range(20)]
    for thread in crowd:
        thread.start()
    try:
        other, worst = client_of(three, 0), 0.0
        for n in range(15):
            begin = time.monotonic()
            other.create_multipart_upload(Bucket="victim", Key=f"upload-{n}")
            other.head_bucket(Bucket="victim")
            worst = max(worst, time.monotonic() - begin)
        assert three.sql("select count(*) < 64 from pg_stat_activity") == "t"
        assert worst < 5.0, f"{worst:.2f} s"
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
