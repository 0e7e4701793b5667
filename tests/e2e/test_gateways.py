"""Several gateways over one cluster; too much at once; an orderly end."""
import concurrent.futures
import json
import os
import random
import signal
import socket

import boto3
import pytest

from cluster import Cluster, wait_for

MIB = 1 << 20
IN_FLIGHT = 12


@pytest.fixture(scope="module")
def three():
    cluster = Cluster(gateways=3, options=[f"gateway.requests_max={IN_FLIGHT}", "gateway.buffer_size=64MiB"])
    started = cluster.up()
    assert started.returncode == 0, started.stdout + started.stderr
    yield cluster
    cluster.wipe()


def client_of(cluster, gateway, **keys):
    given = {"aws_access_key_id": cluster.env["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": cluster.env["AWS_SECRET_ACCESS_KEY"], **keys}
    from botocore.config import Config
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{cluster.port + gateway}", region_name=cluster.env["AWS_REGION"],
                        config=Config(retries={"max_attempts": 1}, signature_version="s3v4"), **given)


def test_what_one_writes_all_read(three):
    clients = [client_of(three, g) for g in range(3)]
    clients[0].create_bucket(Bucket="shared")
    for n in range(30):
        body = random.randbytes(random.choice([0, 10, 5000, 400_000]))
        clients[n % 3].put_object(Bucket="shared", Key=f"k{n % 7}", Body=body)
        for client in clients:
            assert client.get_object(Bucket="shared", Key=f"k{n % 7}")["Body"].read() == body
    clients[1].delete_object(Bucket="shared", Key="k1")
    for client in clients:
        assert "k1" not in [e["Key"] for e in client.list_objects_v2(Bucket="shared")["Contents"]]


def test_settings_of_one_hold_at_once_at_the_others(three):
    made = three.cli("account", "create", "--name", "guest", "--access-key", "GUESTKEY", environment={"RONDEL_SECRET_KEY": "guest-secret"})
    assert made.returncode == 0, made.stderr
    owners = [client_of(three, g) for g in range(3)]
    guests = [client_of(three, g, aws_access_key_id="GUESTKEY", aws_secret_access_key="guest-secret") for g in range(3)]
    owners[0].create_bucket(Bucket="settled")
    owners[0].put_object(Bucket="settled", Key="k", Body=b"x")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:GetObjectTagging"], "Resource": "arn:aws:s3:::settled/*"}]})

    def refused(call, **words):
        try:
            call(Bucket="settled", Key="k", **words)
        except owners[0].exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied"
            return True
        return False
    for n in range(60):
        one, other = random.sample(range(3), 2)
        owners[one].put_bucket_tagging(Bucket="settled", Tagging={"TagSet": [{"Key": "n", "Value": str(n)}]})
        assert owners[other].get_bucket_tagging(Bucket="settled")["TagSet"][0]["Value"] == str(n)
        assert refused(guests[other].get_object) and refused(guests[other].get_object_tagging)
        owners[one].put_bucket_policy(Bucket="settled", Policy=policy)
        assert not refused(guests[other].get_object) and not refused(guests[other].get_object_tagging), n
        owners[one].delete_bucket_policy(Bucket="settled")
        assert refused(guests[other].get_object), n
    for n in range(20):
        with pytest.raises(owners[0].exceptions.ClientError):
            owners[(n + 1) % 3].list_objects_v2(Bucket=f"later-{n}")
        owners[n % 3].create_bucket(Bucket=f"later-{n}")
        owners[(n + 1) % 3].put_object(Bucket=f"later-{n}", Key="k", Body=b"")


def test_one_of_many_conditional_writers_wins(three):
    client_of(three, 0).create_bucket(Bucket="race")

    def write(n):
        client = client_of(three, n % 3)

        def only_if_absent(request, **_):
            request.headers["If-None-Match"] = "*"
        client.meta.events.register("before-sign.s3.PutObject", only_if_absent)
        try:
            client.put_object(Bucket="race", Key="once", Body=str(n).encode())
            return n
        except client.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"), error
            return None
    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        winners = [n for n in pool.map(write, range(9)) if n is not None]
    assert len(winners) == 1
    assert client_of(three, 0).get_object(Bucket="race", Key="once")["Body"].read() == str(winners[0]).encode()


def test_a_revoked_key_ends_everywhere(three):
    assert three.cli("account", "create", "--name", "rotating", "--access-key", "OLDKEY",
                     environment={"RONDEL_SECRET_KEY": "old-secret"}).returncode == 0
    assert three.cli("account", "key", "create", "rotating", "--access-key", "NEWKEY",
                     environment={"RONDEL_SECRET_KEY": "new-secret"}).returncode == 0
    old = [client_of(three, g, aws_access_key_id="OLDKEY", aws_secret_access_key="old-secret") for g in range(3)]
    new = [client_of(three, g, aws_access_key_id="NEWKEY", aws_secret_access_key="new-secret") for g in range(3)]
    for client in old + new:
        client.list_buckets()
    assert three.cli("account", "key", "disable", "OLDKEY").returncode == 0

    def ended(client):
        try:
            client.list_buckets()
        except client.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidAccessKeyId", error
            return True
        return False
    for client in old:
        wait_for(lambda: ended(client), 1, "the key to end")
    for client in new:
        client.list_buckets()
    assert three.cli("account", "key", "delete", "OLDKEY").returncode == 0
    shown = three.cli("account", "show", "rotating").stdout
    assert "NEWKEY" in shown and "OLDKEY" not in shown and "new-secret" not in shown


class SlowPut:
    """A PUT whose body waits until it is told to go on."""

    def __init__(self, cluster, bucket, key, size, gateway=0):
        url = client_of(cluster, gateway).generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=3600)
        port = cluster.port + gateway
        path = url.split(f":{port}", 1)[1]
        self.body = random.randbytes(size)
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=300)
        self.connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {size}\r\n\r\n".encode())

    def finish(self):
        self.connection.sendall(self.body)
        return self.status()

    def status(self):
        head = b""
        while b"\r\n\r\n" not in head:
            got = self.connection.recv(4096)
            if not got:
                break
            head += got
        self.connection.close()
        return int(head.split(b" ")[1]) if head else 0


def test_too_many_at_once_are_told_to_slow_down(three):
    client = client_of(three, 0)
    client.create_bucket(Bucket="busy")
    waiting = [SlowPut(three, "busy", f"k{n}", 1000) for n in range(IN_FLIGHT)]
    wait_for(lambda: requests_in_flight(three) == IN_FLIGHT, 10, "all of them to be let in")
    refused = SlowPut(three, "busy", "above", 1000)
    assert refused.status() == 503
    with pytest.raises(Exception, match="SlowDown|reduce your request rate"):
        client.list_buckets()
    assert [put.finish() for put in waiting] == [200] * IN_FLIGHT
    for n, put in enumerate(waiting):
        assert client.get_object(Bucket="busy", Key=f"k{n}")["Body"].read() == put.body
    with pytest.raises(Exception, match="404|Not Found"):
        client.head_object(Bucket="busy", Key="above")
    assert sum(value for _, value in three.samples("rondel_requests_rejected_total")) >= 2


def requests_in_flight(cluster):
    return sum(value for labels, value in cluster.samples("rondel_admission_in_use") if '"requests"' in labels)


def resident(cluster):
    text = cluster.metrics(cluster.metric_urls()[0])
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("process_resident_memory_bytes "))


def test_memory_stays_bounded_under_more_than_it_can_hold(three):
    client_of(three, 0).create_bucket(Bucket="big")
    body = random.randbytes(24 * MIB)
    before = resident(three)
    highest = [before]

    def put(n):
        client = client_of(three, 0)
        for _ in range(2):
            try:
                client.put_object(Bucket="big", Key=f"k{n}", Body=body)
            except client.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] == "SlowDown", error
            highest[0] = max(highest[0], resident(three))
    with concurrent.futures.ThreadPoolExecutor(IN_FLIGHT) as pool:
        list(pool.map(put, range(IN_FLIGHT)))
    # 288 MiB under way against a budget of 64 MiB; the rest is sockets, gRPC's own buffers and a sanitizer's quarantine.
    assert highest[0] - before < 600 * MIB
    for n in range(IN_FLIGHT):
        try:
            assert client_of(three, 0).get_object(Bucket="big", Key=f"k{n}")["Body"].read() == body
        except client_of(three, 0).exceptions.NoSuchKey:
            pass


def test_sigterm_lets_requests_end(three):
    client_of(three, 1).create_bucket(Bucket="drain")
    slow = SlowPut(three, "drain", "k", 100_000, gateway=1)
    wait_for(lambda: requests_in_flight(three) == 1, 10, "the request to begin")
    three.kill("gateway-2", signal.SIGTERM)
    pid = three.processes()["gateway-2"]

    def is_closed():
        try:
            socket.create_connection(("127.0.0.1", three.port + 1), timeout=300).close()
        except ConnectionError:
            return True
        return False
    wait_for(is_closed, 10, "the listener to close")
    assert slow.finish() == 200
    from cluster import is_running
    wait_for(lambda: not is_running(pid), 20, "gateway-2 to end")
    assert client_of(three, 0).get_object(Bucket="drain", Key="k")["Body"].read() == slow.body
    assert three.up().returncode == 0


@pytest.mark.parametrize("program, words, environment, expected", [
    ("rondel-gateway", ["--check-settings", "--set", "gateway.listen=nowhere", "--set", "metadata.dsn=x", "--set", "metadata.master_key_file=/x"],
     {}, "gateway.listen"),
    ("rondel-gateway", ["--check-settings"], {"RONDEL_METADATA_DSN": "x"}, "metadata.master_key_file"),
    ("rondel-gateway", ["--check-settings", "--set", "gateway.threads=many"], {}, "gateway.threads"),
    *[("rondel-gateway", ["--check-settings", "--set", assignment, "--set", "metadata.dsn=x", "--set", "metadata.master_key_file=/x"], {}, key)
      for assignment, key in (("gateway.trusted_proxies=10.0.0.0/33", "gateway.trusted_proxies"), ("gateway.proxy_protocol_networks=all", "gateway.proxy_protocol_networks"),
                              ("gateway.listen=::1:9000", "gateway.listen"), ("gateway.head_timeout=0s", "gateway.head_timeout"))],
    ("rondel-gateway", ["--check-settings", "--set", "kms.provider=vault", "--set", "kms.vault_address=http://vault:8200", "--set", "metadata.dsn=x",
                        "--set", "metadata.master_key_file=/x"], {}, "plain text"),
    ("rondel-gateway", ["--nonsense"], {}, "nonsense"),
    ("rondel-gateway", ["--config", "/nowhere.yaml"], {}, "/nowhere.yaml"),
    ("rondel-node", ["--check-settings", "--set", "node.zone=a", "--set", "node.name=n"], {}, "node.data_dir"),
    ("rondel-node", ["--check-settings", "--set", "engine.segment_size=lots"], {}, "engine.segment_size"),
    ("rondel", ["ring", "sim", "--disks", "-3"], {}, "disks"),
    ("rondel", ["frobnicate"], {}, "subcommand is required"),
    ("rondel", ["status", "--data", "/nowhere"], {}, "/nowhere"),
])
def test_flags_settings_and_environment_are_checked(program, words, environment, expected):
    import subprocess
    from cluster import BUILD
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RONDEL_")}
    done = subprocess.run([str(BUILD / "bin" / program), *words], capture_output=True, text=True, timeout=300, env={**clean, **environment})
    assert done.returncode != 0
    assert expected in done.stderr + done.stdout, done.stderr + done.stdout
