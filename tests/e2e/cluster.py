"""A real cluster for end-to-end tests: started by deploy/local/up.sh from a finished build, stopped and wiped at the end."""
import contextlib
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

import boto3

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("RONDEL_BUILD", ROOT / "build" / "dev"))

BROKEN_MEMORY = re.compile(r"ERROR: \w+Sanitizer|runtime error:|double free|corrupted size|free\(\): invalid|malloc\(\): ")


@contextlib.contextmanager
def running(bucket, **arguments):
    """A cluster of its own that is up and has a bucket; it is wiped at the end."""
    cluster = Cluster(**arguments)
    started = cluster.up()
    assert started.returncode == 0, started.stdout + started.stderr
    cluster.boto3(boto3).create_bucket(Bucket=bucket)
    yield cluster
    cluster.wipe()


# A cluster's ports begin at one and end 500 further: up.sh derives them. Above what services usually listen on, below what
# Linux gives to connections that go out.
PORTS = range(23_000, 32_000)
PORTS_OF_A_CLUSTER = 500


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
        return True


def free_ports():
    """The first of the ports of a cluster, none of which anybody listens on. Another test may look at the same time: the place is drawn."""
    for _ in range(200):
        first = random.randrange(PORTS.start, PORTS.stop - PORTS_OF_A_CLUSTER, 10)
        if all(is_free(port) for port in range(first, first + PORTS_OF_A_CLUSTER)):
            return first
    raise AssertionError(f"no {PORTS_OF_A_CLUSTER} ports in a row are free in {PORTS}")


# How long anything may take before a test gives it up: what a machine that has much else to do needs. No test passes
# sooner or later for it; it bounds how long a test hangs that fails.
PATIENCE = 300


class Cluster:
    """`port`: for who insists on one; otherwise ports that are free. `tree` and `build`: of another version of the product."""

    def __init__(self, port=None, options=(), nodes=4, gateways=1, tree=ROOT, build=BUILD):
        self.port = port or free_ports()
        self.tree, self.build = tree, build
        self.options = list(options)
        self.nodes = nodes
        self.gateways = gateways
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="rondel-e2e-"))
        if tree != ROOT:
            self.data.chmod(0o755)   # Older versions start PostgreSQL in no closed folder.
        self.env = {}

    def up(self, *extra, environment=None):
        command = [str(self.tree / "deploy/local/up.sh"), "--bin", str(self.build), "--no-install", "--data", str(self.data),
                   "--port", str(self.port), "--nodes", str(self.nodes), "--gateways", str(self.gateways)]
        for option in self.options:
            command += ["--set", option]
        if self.tree == ROOT and "--ready-within" not in extra:
            command += ["--ready-within", str(PATIENCE)]
        done = subprocess.run(command + list(extra), capture_output=True, text=True, timeout=2 * PATIENCE,
                              env={**os.environ, **(environment or {})})
        if done.returncode == 0:
            self.env = dict(line.split("=", 1) for line in
                            (shlex.split(line)[0] for line in (self.data / "env").read_text().splitlines() if line))
        return done

    def down(self, *extra):
        return subprocess.run([str(self.tree / "deploy/local/down.sh"), "--bin", str(self.build), "--data", str(self.data), *extra],
                              capture_output=True, text=True, timeout=PATIENCE)

    def wipe(self):
        self.down()
        reports = self.sanitizer_reports()
        if not os.environ.get("RONDEL_KEEP_DATA"):
            self.down("--wipe")
            shutil.rmtree(self.data, ignore_errors=True)
        assert not reports, "\n".join(reports)

    def log_lines(self, pattern="gateway-*.log"):
        """The lines of logs that are written meanwhile: a last line without its end is not there yet."""
        lines = []
        for log in sorted((self.data / "log").glob(pattern)):
            lines += log.read_text(errors="surrogateescape").split("\n")[:-1]
        return lines

    def requests_logged(self, text=""):
        """The documents of the gateways' request log whose line has this text."""
        return [json.loads(line) for line in self.log_lines() if '"module":"request"' in line and text in line]

    def sanitizer_reports(self):
        """What a sanitizer or the C library wrote of broken memory, with some lines after each find."""
        reports = []
        for log in sorted((self.data / "log").glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            for number, line in enumerate(lines):
                if BROKEN_MEMORY.search(line):
                    reports += [log.name] + lines[number:number + 12]
        return reports

    @property
    def endpoint(self):
        return self.env["AWS_ENDPOINT_URL"]

    def client_environment(self):
        """What a client started by a person would see, and nothing else of AWS."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return {**clean, **self.env, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(self.data)}

    def boto3(self, boto3, gateway=1, **config):
        from botocore.config import Config
        settings = {"retries": {"max_attempts": 1}, "connect_timeout": PATIENCE, "read_timeout": PATIENCE, **config}
        endpoint = self.endpoint.replace(f":{self.port}", f":{self.port + gateway - 1}")
        return boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
                            aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"], region_name=self.env["AWS_REGION"],
                            config=Config(**settings))

    def processes(self):
        return {path.stem: int(path.read_text().split()[0]) for path in (self.data / "run").glob("*.pid")}

    def kill(self, name, number=signal.SIGKILL):
        os.kill(self.processes()[name], number)

    def pids_of(self, name):
        """The process and its children: PostgreSQL has many."""
        pid = self.processes()[name]
        return descendants(pid) + [pid]

    def kill_together(self, names):
        """As when the machine they share loses power, as far as processes can."""
        pids = [pid for name in names for pid in self.pids_of(name)]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_for(lambda: not any(is_running(pid) for pid in pids), 20, "processes to end")

    def kill_everything(self):
        self.kill_together(sorted(self.processes()))

    def metrics(self, url, timeout=PATIENCE):
        return urllib.request.urlopen(url, timeout=timeout).read().decode()

    def metric_urls(self):
        return self.env["RONDEL_METRICS_URLS"].split(",")

    def samples(self, name):
        """Every sample of a metric on every process that answers: [(labels text, value)]."""
        found = []
        for url in self.metric_urls():
            try:
                text = self.metrics(url, timeout=10)   # Of one that is stopped it never comes.
            except OSError:
                continue
            for labels, value in re.findall(r"^%s(\{[^}]*\})? (\S+)$" % re.escape(name), text, re.M):
                found.append((labels, float(value)))
        return found

    def sql(self, statement):
        """On the cluster's private PostgreSQL."""
        import glob
        psql = sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"))[-1]
        done = subprocess.run([psql, "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, self.dsn()], capture_output=True, text=True,
                              timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def dsn(self):
        return re.search(r'dsn: "([^"]+)"', (self.data / "config" / "gateway-1.yaml").read_text()).group(1)

    def cli(self, *words, environment=None):
        return subprocess.run([str(self.data / "bin" / "rondel"), *words], capture_output=True, text=True, timeout=PATIENCE,
                              env={**os.environ, **(environment or {})})


def descendants(pid):
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
    return [int(child) for child in children]


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def wait_for(condition, seconds, what):
    """`seconds`: what is more than enough where nothing else runs. A busy machine has PATIENCE."""
    seconds = max(seconds, PATIENCE)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.1)
