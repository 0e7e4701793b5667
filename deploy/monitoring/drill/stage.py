"""The cluster of the drill, who uses it all the time, and what faults can do to it."""
import contextlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import boto3  # noqa: E402
from botocore.exceptions import BotoCoreError, ClientError  # noqa: E402

from cluster import BUILD, Cluster, is_running, wait_for  # noqa: E402
from database import PROGRAMS, Database, measure, run  # noqa: E402

BUCKET = "drill"
NODES = ["node-1", "node-2", "node-3", "node-4"]
GATEWAYS = ["gateway-1", "gateway-2"]
REFUSALS = (ClientError, BotoCoreError)


class Load:
    """One client a gateway: writes, reads and asks for a few objects over and over, whatever the answer."""

    def __init__(self, stage):
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(stage, n), daemon=True) for n in (1, 2)]
        self.threads.append(threading.Thread(target=self.fill_the_archive, args=(stage,), daemon=True))
        for thread in self.threads:
            thread.start()

    def fill_the_archive(self, stage):
        """As archive_timeout would."""
        while not self.ended.wait(4):
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                stage.database.psql("select pg_switch_wal()")

    def run(self, stage, gateway):
        client = stage.client(gateway, connect_timeout=1, read_timeout=3)
        n = 0
        while not self.ended.wait(0.4):
            n = (n + 1) % 12
            key = f"load/{gateway}/{n}"
            for call in (lambda: client.put_object(Bucket=BUCKET, Key=key, Body=random.randbytes(20_000)),
                         lambda: client.get_object(Bucket=BUCKET, Key=key)["Body"].read(),
                         lambda: client.head_object(Bucket=BUCKET, Key=key)):
                with contextlib.suppress(*REFUSALS):
                    call()

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(10)


class Stage:
    def __init__(self, work, port):
        self.work = work
        self.clocks = work / "clocks"
        self.faults = work / "faults"
        self.certificates = work / "certificates"
        self.cluster = Cluster(port=port, nodes=len(NODES), gateways=len(GATEWAYS))
        data = self.cluster.data
        # The ring is made of the first disk of each node; the second is there to be lost.
        disks = [f"{{path: {data}/{{name}}/disk-{n}, capacity: 384MiB}}" for n in (1, 2)]
        self.both_disks = f"node.disks=[{', '.join(disks)}]"
        self.cluster.options = [
            f"node.disks=[{disks[0]}]", "engine.segment_size=64MiB", "node.disk_patience=1s",
            "gc.grace=1s", "gc.trash=1s", "repair.trash=1s", "gateway.requests_max=128",
            f"rpc.tls_authority_file={self.certificates}/authority.pem",
            f"rpc.tls_certificate_file={self.certificates}/{{name}}.pem", f"rpc.tls_key_file={self.certificates}/{{name}}.key"]
        self.environment = {
            "LD_PRELOAD": f"{work}/faulty_disk.so {work}/shifted_clock.so", "RONDEL_CLOCKS": str(self.clocks), "RONDEL_FAULTS": str(self.faults),
            "RONDEL_FAULTS_BELOW": str(data / "node-"), "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
        self.archiving = work / "archive"
        self.by_hand = []
        described = subprocess.run([BUILD / "bin" / "rondel-gateway", "--describe-settings"], capture_output=True, text=True, timeout=30).stdout
        if "metadata.database_size_max" in described:
            self.cluster.options.append("metadata.database_size_max=160MiB")

    def start(self):
        for folder in (self.clocks, self.faults):
            folder.mkdir()
            folder.chmod(0o755)
        peers = [f"gateway/{name}" for name in GATEWAYS] + [f"node/{name}" for name in NODES]
        subprocess.run([str(ROOT / "deploy/local/certificates.sh"), str(self.certificates), *peers], check=True, capture_output=True)
        self.up()
        self.database = Database(self.cluster)
        self.archive_the_log()
        self.cluster.down()
        self.cluster.options[0] = self.both_disks
        self.up()
        self.client().create_bucket(Bucket=BUCKET)

    def jobs(self):
        hosts = [url.split("/")[2] for url in self.cluster.metric_urls()]
        return {"rondel-gateway": hosts[:len(GATEWAYS)], "rondel-node": hosts[len(GATEWAYS):]}

    def up(self):
        done = self.cluster.up(environment=self.environment)
        assert done.returncode == 0, "the cluster does not come up: " + done.stdout[-500:] + done.stderr[-1500:]

    def wipe(self):
        for process in self.by_hand:
            process.kill()
        self.cluster.down()
        self.database.wipe()
        self.cluster.wipe()

    def client(self, gateway=1, **config):
        return self.cluster.boto3(boto3, gateway=gateway, **config)

    def put(self, prefix, count, size=20_000):
        client = self.client()
        for n in range(count):
            client.put_object(Bucket=BUCKET, Key=f"{prefix}/{n}", Body=random.randbytes(size))

    def delete(self, prefix):
        client = self.client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
            for item in page.get("Contents", []):
                client.delete_object(Bucket=BUCKET, Key=item["Key"])

    # Processes

    def kill(self, names):
        self.cluster.kill_together(names)

    def end(self, names):
        pids = [self.cluster.processes()[name] for name in names]
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not any(is_running(pid) for pid in pids), 60, f"{names} to end")

    @contextlib.contextmanager
    def frozen(self, names):
        """Connections stay open and nothing comes: what a partition looks like from the other side."""
        pids = [pid for name in names for pid in self.cluster.pids_of(name)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def command(self, name):
        """How the process was started: words, and the environment that it has."""
        pid = self.cluster.processes()[name]
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        return [word.decode() for word in words]

    def start_by_hand(self, name, words):
        """Where `up` would wait for the rest of the cluster, or start what a fault has ended."""
        with open(self.cluster.data / "log" / f"{name}.log", "ab") as log:
            process = subprocess.Popen(words, env={**os.environ, **self.environment}, stdout=log, stderr=log)
        self.by_hand.append(process)
        return process

    def end_by_hand(self):
        for process in self.by_hand:
            process.terminate()
            process.wait(60)
        self.by_hand.clear()

    # PostgreSQL

    def configure(self, name, value):
        self.database.psql(f"alter system set {name} = '{value}'")
        self.database.psql("select pg_reload_conf()")

    def archive_the_log(self):
        """From its next start PostgreSQL archives its log, to nowhere, unless a file says otherwise."""
        self.archiving.mkdir()
        self.archiving.chmod(0o755)
        script = self.archiving / "archive.sh"
        script.write_text(f"while [ -e {self.archiving}/hang ]; do sleep 0.2; done\ntest ! -e {self.archiving}/fail\n")
        script.chmod(0o755)
        for name, value in (("archive_mode", "on"), ("archive_command", f"sh {script}")):
            self.configure(name, value)

    @contextlib.contextmanager
    def archive(self, how):
        (self.archiving / how).touch()
        try:
            yield
        finally:
            (self.archiving / how).unlink()

    @contextlib.contextmanager
    def sessions(self, count):
        """So many connections that do nothing."""
        opened = [subprocess.Popen([str(PROGRAMS / "psql"), "-X", "-q", "-c", "select pg_sleep(600)", self.cluster.dsn()],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(count)]
        try:
            yield
        finally:
            for process in opened:
                process.kill()
                process.wait()
            self.database.psql("select pg_terminate_backend(pid) from pg_stat_activity where query = 'select pg_sleep(600)'")

    def pass_transactions(self, count):
        """The next transaction of a server that is stopped has this number: nothing was frozen meanwhile."""
        run(*self.database.as_user(PROGRAMS / "pg_resetwal", "-x", count, "-D", self.database.folder))
        segment = self.database.folder / "pg_xact" / f"{count // 1_048_576:04X}"
        segment.write_bytes(bytes(262_144))
        shutil.chown(segment, self.database.user, self.database.user)
        segment.chmod(0o600)

    # Disks, clocks, certificates

    def disk(self, node, broken=0):
        path = self.faults / str(self.cluster.processes()[node])
        if broken:
            path.write_text(f"0 0 {broken}\n")
        else:
            path.unlink(missing_ok=True)

    def shift(self, names, seconds):
        for name in names:
            path = self.clocks / name
            if seconds == 0:
                path.unlink(missing_ok=True)
            else:
                path.write_text(f"{seconds}\n")

    def spread(self, body):
        """The segment files in which these bytes stand, and where."""
        found = []
        for path in sorted(self.cluster.data.glob("node-*/disk-*/segments/*")):
            if path.is_file() and path.stat().st_blocks:
                at = path.read_bytes().find(body[:64])
                if at >= 0:
                    found.append((path, at))
        return found

    def certify(self, name, seconds):
        """A certificate of the process that ends in so many seconds, under the cluster's authority."""
        folder = self.work / f"short-{time.monotonic_ns()}"
        role = name.split("-")[0]
        shutil.copytree(self.certificates, folder)
        # A day is the shortest that openssl makes: it was made a day less `seconds` ago.
        subprocess.run(["faketime", "-f", f"-{86_400 - seconds}s", str(ROOT / "deploy/local/certificates.sh"), str(folder),
                        "--days", "1", f"{role}/{name}"], check=True, capture_output=True)
        self.install(name, folder)

    def install(self, name, folder):
        for suffix in ("key", "pem"):
            shutil.copy(folder / f"{name}.{suffix}", self.certificates / f"new-{name}.{suffix}")
            os.rename(self.certificates / f"new-{name}.{suffix}", self.certificates / f"{name}.{suffix}")
        os.kill(self.cluster.processes()[name], signal.SIGHUP)

    def value(self, name):
        return measure(self.cluster, name)
