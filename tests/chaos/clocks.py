"""Moves the wall clocks of nodes, gateways and PostgreSQL apart, one after another, and checks what must hold. README.md says what."""
import argparse
import pathlib
import random
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import boto3  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402

from cluster import Cluster, is_running, wait_for  # noqa: E402

DAY = 86_400
NODES = ["node-1", "node-2", "node-3", "node-4"]
GATEWAYS = ["gateway-1", "gateway-2"]
OPTIONS = ["gc.grace=1s", "gc.trash=1h", "gc.orphan_age=1h", "gc.orphan_scan_pause=2s"]

# Whose clock, and how far ahead.
JUMPS = [(names, by) for by in (DAY, 7 * DAY, -DAY, -7 * DAY)
         for names in (["node-2"], NODES, ["gateway-2"], ["postgres"])]


class Drill:
    def __init__(self, cluster, work, seconds):
        self.cluster = cluster
        self.clocks = work / "clocks"
        self.seconds = seconds
        self.bodies = {}
        self.made = 0

    def start(self, library):
        self.clocks.mkdir()
        self.clocks.chmod(0o755)
        done = self.cluster.up(environment={"LD_PRELOAD": str(library), "RONDEL_CLOCKS": str(self.clocks),
                                            "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"})
        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]
        self.processes = self.cluster.processes()
        self.clients = [self.cluster.boto3(boto3, gateway=n + 1, connect_timeout=3, read_timeout=20) for n in range(len(GATEWAYS))]
        client = self.clients[0]
        client.create_bucket(Bucket="clocks")
        rules = [{"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1},
                  "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}]
        client.put_bucket_lifecycle_configuration(Bucket="clocks", LifecycleConfiguration={"Rules": rules})
        self.upload = client.create_multipart_upload(Bucket="clocks", Key="upload")["UploadId"]
        client.upload_part(Bucket="clocks", Key="upload", UploadId=self.upload, PartNumber=1, Body=b"part")
        for _ in range(40):
            self.put(client)
        for n in range(30):
            client.put_object(Bucket="clocks", Key=f"deleted/{n}", Body=random.randbytes(100_000))
            client.delete_object(Bucket="clocks", Key=f"deleted/{n}")
        wait_for(lambda: self.trash() >= 2 * 30 * 100_000, 60, "deleted objects to come to the trash")
        wait_for(lambda: self.value("rondel_ages_paused") == 0, 30, "ages to pass")

    def put(self, client):
        self.made += 1
        key, body = f"kept/{self.made}", random.randbytes(random.choice((1000, 100_000, 400_000)))
        client.put_object(Bucket="clocks", Key=key, Body=body)
        self.bodies[key] = body

    def value(self, name):
        return max((abs(value) for _, value in self.cluster.samples(name)), default=0.0)

    def trash(self):
        return sum(value for _, value in self.cluster.samples("rondel_node_trash_bytes"))

    def set(self, names, seconds):
        for name in names:
            path = self.clocks / name
            if seconds == 0:
                path.unlink(missing_ok=True)
            else:
                path.write_text(f"{seconds}\n")

    def ready(self, number):
        url = [u for u in self.cluster.metric_urls() if "rondel_http_connections" in self.cluster.metrics(u)][number]
        try:
            return urllib.request.urlopen(url.replace("/metrics", "/health/ready"), timeout=10).status == 200
        except urllib.error.HTTPError as error:
            assert "clock" in error.read().decode()
            return False

    def check_all(self, client):
        for key, body in self.bodies.items():
            assert client.get_object(Bucket="clocks", Key=key)["Body"].read() == body, f"{key}: other bytes"
        assert client.list_parts(Bucket="clocks", Key="upload", UploadId=self.upload)["Parts"], "the upload's part is gone"
        gone = [name for name, pid in self.processes.items() if not is_running(pid)]
        assert not gone, f"ended by themselves: {gone}"

    def jump(self, names, by):
        trash = self.trash()
        off = [n for n, name in enumerate(GATEWAYS) if name in names]
        metric = "rondel_node_clock_offset_seconds" if names[0].startswith("node") else "rondel_clock_offset_seconds"
        self.set(names, by)
        began = time.monotonic()
        wait_for(lambda: abs(self.value(metric) - abs(by)) < 60, 30, f"{metric} to show it")
        shown = time.monotonic() - began
        requests = 0
        while time.monotonic() < began + self.seconds:
            for n, client in enumerate(self.clients):
                if n not in off:
                    self.put(client)
                    self.check_some(client)
                    requests += 2
                    continue
                try:
                    client.list_buckets()
                    raise AssertionError("a gateway that is off took a request")
                except ClientError as error:
                    assert error.response["Error"]["Code"] == "RequestTimeTooSkewed", error
        for n in range(len(GATEWAYS)):
            assert self.ready(n) == (n not in off), f"{GATEWAYS[n]}: ready {n in off}"
        # All nodes together are more than gateways and database: it is the database that counts as wrong.
        most = names == NODES or names == ["postgres"]
        pauses = metric == "rondel_clock_offset_seconds" or most
        for shows, expected in (("rondel_database_clock_off", most), ("rondel_node_clock_fenced", names == ["node-2"]), ("rondel_ages_paused", pauses)):
            wait_for(lambda: (self.value(shows) == 1) == expected, 20, f"{shows} to be {expected:d}")
        self.check_all(self.clients[0])
        assert self.trash() >= trash, f"{trash - self.trash():.0f} bytes of trash are gone"
        self.set(names, 0)
        wait_for(lambda: self.value(metric) < 5 and self.value("rondel_ages_paused") == 0
                 and self.value("rondel_node_clock_fenced") == 0, 60, "clocks to agree again")
        wait_for(lambda: all(self.ready(n) for n in range(len(GATEWAYS))), 30, "gateways to be ready")
        time.sleep(3)
        for client in self.clients:
            self.check_all(client)
        assert self.trash() >= trash, f"{trash - self.trash():.0f} bytes of trash are gone afterwards"
        wait_for(lambda: self.value("rondel_replication_lag_seconds") == 0, 60, "lag to be 0")
        label = names[0] if len(names) == 1 else "all nodes"
        print(f"{label:12} {by / DAY:+5.0f} d  shown in {shown:4.1f} s  {requests:5} requests served  {len(self.bodies):5} objects whole"
              f"  trash {self.trash() / 1e6:.1f} MB", flush=True)

    def check_some(self, client):
        key = random.choice(list(self.bodies))
        assert client.get_object(Bucket="clocks", Key=key)["Body"].read() == self.bodies[key], f"{key}: other bytes"


def main():
    parser = argparse.ArgumentParser(prog="clocks.sh")
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--port", type=int, help="first of 500; default: free ones")
    parser.add_argument("--seconds", type=float, default=5, help="how long each clock is off")
    parser.add_argument("--jumps", type=int, default=len(JUMPS), help="the first so many alone")
    arguments = parser.parse_args()
    cluster = Cluster(port=arguments.port, gateways=len(GATEWAYS), options=OPTIONS)
    drill = Drill(cluster, arguments.work, arguments.seconds)
    try:
        drill.start(arguments.work / "shifted_clock.so")
        for names, by in JUMPS[:arguments.jumps]:
            drill.jump(names, by)
    except (AssertionError, ClientError) as violation:
        print(f"VIOLATION: {violation}\nThe data stays in {cluster.data}", flush=True)
        return 1
    finally:
        cluster.down()
    cluster.wipe()
    print("nothing lost, no trash emptied")
    return 0


if __name__ == "__main__":
    sys.exit(main())
