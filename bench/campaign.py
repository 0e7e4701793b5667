#!/usr/bin/env python3
"""Alternates rounds of the product and of yardsticks on this machine and prints ratios. Started by run.sh."""
import argparse
import base64
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SMALL = "4KiB"
LARGE = "64MiB"
SMALL_CONNECTIONS = 64
LARGE_CONNECTIONS = 8
GET_KEYS = 3000
LARGE_KEYS = 8
FOLDERS = 2000
FEW_KEYS = 10_000
MANY_KEYS = 1_000_000
CORES = 2
SECTIONS = ("put-small", "get-small", "large", "list", "features", "base")
POLICY_BYTES = 20_000


def run(command, **options):
    """The output of a program; ends the campaign when it fails."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"campaign: {' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def versioning():
    return "versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def retention():
    return "object-lock", ("<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
                           "<Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>")


def policy(bucket):
    """About 20 KiB of statements whose action fits, so that each is looked at, and that refuse nobody on this machine."""
    def statement(n):
        return {"Sid": f"net{n}", "Effect": "Deny", "Principal": "*", "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": f"arn:aws:s3:::{bucket}/*", "Condition": {"IpAddress": {"aws:SourceIp": f"10.{n}.0.0/16"}}}
    each = len(json.dumps(statement(100))) + 2
    return "policy", json.dumps({"Version": "2012-10-17", "Statement": [statement(n) for n in range(POLICY_BYTES // each)]})


def encryption(algorithm, key=""):
    named = f"<KMSMasterKeyID>{key}</KMSMasterKeyID>" if key else ""
    return "encryption", ("<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
                          f"<SSEAlgorithm>{algorithm}</SSEAlgorithm>{named}</ApplyServerSideEncryptionByDefault>"
                          "</Rule></ServerSideEncryptionConfiguration>")


# Name, what is set on the bucket, more words for the load generator. Each is measured in a bucket of its own.
FEATURES = (
    ("plain", lambda bucket: [], []),
    ("versioned", lambda bucket: [versioning()], []),
    ("policy of 20 KiB", lambda bucket: [policy(bucket)], []),
    ("tags", lambda bucket: [], ["--header", "x-amz-tagging: team=blue&stage=test"]),
    ("checksum", lambda bucket: [], ["--payload", "signed", "--checksum"]),
    ("object lock", lambda bucket: [versioning(), retention()], ["--payload", "signed", "--checksum"]),
    ("SSE-S3", lambda bucket: [encryption("AES256")], []),
    ("SSE-KMS", lambda bucket: [encryption("aws:kms", "bench")], []),
)
LARGE_FEATURES = ("plain", "SSE-S3", "SSE-KMS")


class Product:
    """A fresh cluster on this machine."""

    def __init__(self, args, folder):
        self.args, self.data = args, folder / "cluster"
        up = [args.root / "deploy/local/up.sh", "--bin", args.bin, "--no-install", "--data", self.data, "--port", args.port]
        for setting in args.set:
            up += ["--set", setting]
        run(up)
        lines = (self.data / "env").read_text().splitlines()
        self.environment = dict(line.split("=", 1) for line in lines)
        self.dsn = re.search(r'dsn: "(.*)"', (self.data / "config/gateway-1.yaml").read_text()).group(1)

    def pids(self):
        found = {}
        for file in sorted((self.data / "run").glob("*.pid")):
            group = {"gateway": "gateway", "node": "nodes"}.get(file.stem.split("-")[0], file.stem)
            found.setdefault(group, []).append(file.read_text().strip())
        return found

    def sql(self, statement, database="rondel"):
        dsn = re.sub(r"dbname=\S+", f"dbname={database}", self.dsn)
        return run(["psql", dsn, "-Atqc", statement]).strip()

    def cli(self, *words):
        return run([self.data / "bin/rondel", words[0], "--data", self.data, *words[1:]])

    def put(self, path, query="", body=""):
        """A signed PUT of a document."""
        environment = self.environment
        host = environment["AWS_ENDPOINT_URL"].split("://")[1]
        stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body.encode()).hexdigest()
        headers = {"content-md5": base64.b64encode(hashlib.md5(body.encode()).digest()).decode(), "host": host,
                   "x-amz-content-sha256": digest, "x-amz-date": stamp}
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        canonical = f"PUT\n{path}\n{query + '=' if query else ''}\n{lines}\n{names}\n{digest}"
        scope = f"{stamp[:8]}/{environment['AWS_REGION']}/s3/aws4_request"
        key = ("AWS4" + environment["AWS_SECRET_ACCESS_KEY"]).encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={environment['AWS_ACCESS_KEY_ID']}/{scope}, SignedHeaders={names}, "
                                    f"Signature={hmac.digest(key, text.encode(), 'sha256').hex()}")
        url = environment["AWS_ENDPOINT_URL"] + path + (f"?{query}" if query else "")
        try:
            urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers, method="PUT"), timeout=30).read()
        except urllib.error.HTTPError as error:
            sys.exit(f"campaign: PUT {path}?{query}: {error.code} {error.read().decode()}")

    def stop(self):
        run([self.args.root / "deploy/local/down.sh", "--bin", self.args.bin, "--data", self.data, "--wipe"])


class Campaign:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.rounds = []
        self.product = Product(args, folder)
        self.product.sql("create database yardsticks")
        self.children = []

    def load(self, operation, pids, *words, endpoint=None, seconds=None, warm_up=1.5):
        """One run of the load generator; its JSON."""
        out = self.folder / "load.json"
        command = [self.args.bin / "bin/rondel-bench", operation, "--json", out, "--warmup", warm_up]
        command += ["--duration", seconds or self.args.seconds, *words]
        environment = {**os.environ, **self.product.environment}
        if endpoint:
            command += ["--endpoint", endpoint, "--no-sign"]
        for name, numbers in pids.items():
            command += ["--pids", f"{name}={','.join(map(str, numbers))}"]
        run(command, env=environment)
        result = json.loads(out.read_text())
        if result["errors"]:
            sys.exit(f"campaign: {operation} had errors: {result['errors']} {result['first_error']}")
        return result

    def on_product(self, operation, *words, **options):
        return self.load(operation, self.product.pids(), *words, **options)

    # Yardsticks -----------------------------------------------------------------------------------------------------
    def start(self, command, cwd=None):
        self.children.append(subprocess.Popen([str(word) for word in command], cwd=cwd))
        return self.children[-1].pid

    def end_children(self):
        for child in self.children:
            child.send_signal(signal.SIGTERM)
        for child in self.children:
            child.wait(20)
        self.children = []

    def floor_put(self, number):
        work = self.folder / "floor"
        work.mkdir(exist_ok=True)
        nodes = [self.start([self.args.yardsticks / "floor_node", f"node-{i}.sock", f"log-{i}"], work) for i in range(3)]
        time.sleep(0.5)
        dsn = re.sub(r"dbname=\S+", "dbname=yardsticks", self.product.dsn)
        port = self.args.port + 90
        sockets = [f"node-{i}.sock" for i in range(3)]
        gateway = self.start([self.args.yardsticks / "floor_gateway", port, dsn, f"floor_{number}", *sockets], work)
        time.sleep(0.5)
        pids = {"gateway": [gateway], "nodes": nodes, "postgresql": self.product.pids()["postgresql"]}
        result = self.load("put", pids, "--connections", SMALL_CONNECTIONS, "--size", SMALL, endpoint=f"http://127.0.0.1:{port}")
        self.end_children()
        self.product.sql(f"drop table floor_{number}", "yardsticks")
        return result

    def nginx_get(self):
        work = self.folder / "nginx"
        files = work / "files/bench"
        if not files.exists():
            files.mkdir(parents=True)
            for i in range(GET_KEYS):
                (files / f"object-{i:012d}").write_bytes(os.urandom(4096))
            os.chmod(work, 0o755)
        port = self.args.port + 91
        (work / "nginx.conf").write_text(
            "worker_processes 2; daemon off; user root; pid nginx.pid; error_log stderr;\n"
            "events { worker_connections 1024; }\n"
            "http { access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000;\n"
            f"  server {{ listen 127.0.0.1:{port}; root {files.parent}; }} }}\n")
        pid = self.start(["nginx", "-p", work, "-c", work / "nginx.conf"])
        time.sleep(0.5)
        result = self.load("get", {"server": [pid]}, "--connections", SMALL_CONNECTIONS, "--keys", GET_KEYS,
                           endpoint=f"http://127.0.0.1:{port}")
        self.end_children()
        return result

    def openssl_gb_per_s(self, digest):
        text = run(["openssl", "speed", "-seconds", "1", "-bytes", "65536", "-evp", digest], stderr=subprocess.DEVNULL)
        return float(re.findall(r"([\d.]+)k\s*$", text)[-1]) / 1e6

    def components(self):
        socket = json.loads(run([self.args.yardsticks / "socket_copy", 4096]))
        stream = json.loads(run([self.args.yardsticks / "stream_copy", 1024]))
        disk = json.loads(run([self.args.yardsticks / "disk", "sequential", self.folder, 512]))
        md5, sha256 = self.openssl_gb_per_s("md5"), self.openssl_gb_per_s("sha256")
        cpu = {"client and gateway sockets": socket["cpu_s_per_gb"], "MD5": 1 / md5, "SHA-256, client and gateway": 2 / sha256,
               "3 gRPC streams": 3 * stream["cpu_s_per_gb"], "3 disk writes": 3 * disk["cpu_s_per_gb"]}
        by_cpu, by_disk = CORES / sum(cpu.values()) * 1e3, disk["mb_per_s"] / 3
        return {"socket_copy": socket, "stream_copy": stream, "disk": disk, "md5_gb_per_s": md5, "sha256_gb_per_s": sha256,
                "put_cpu_s_per_gb": cpu, "put_bound_mb_per_s": min(by_cpu, by_disk), "put_bound_by_cpu": by_cpu,
                "put_bound_by_disk": by_disk}

    def pgbench(self):
        script = self.folder / "insert.sql"
        script.write_text("insert into pgbench_rows (key, etag) values (md5(random()::text) || md5(random()::text), 'e');\n")
        self.product.sql("create table if not exists pgbench_rows (id bigserial primary key, key text, etag text)", "yardsticks")
        dsn = re.sub(r"dbname=\S+", "dbname=yardsticks", self.product.dsn)
        text = run(["/usr/lib/postgresql/15/bin/pgbench", "-n", "-M", "prepared", "-c", "8", "-j", "1", "-T", "3", "-f", script, dsn],
                   stderr=subprocess.DEVNULL)
        return float(re.search(r"tps = ([\d.]+)", text).group(1))

    # Sections -------------------------------------------------------------------------------------------------------
    def put_small(self, number):
        floor = self.floor_put(number)
        product = self.on_product("put", "--create-bucket", "--connections", SMALL_CONNECTIONS, "--size", SMALL)
        return {"floor_put": floor, "put_small": product}

    def get_small(self, number):
        words = ["--connections", SMALL_CONNECTIONS, "--size", SMALL, "--keys", GET_KEYS]
        if number == 0:
            words += ["--create-bucket", "--preload"]
        return {"nginx_get": self.nginx_get(), "get_small": self.on_product("get", *words)}

    def large(self, number):
        words = ["--connections", LARGE_CONNECTIONS, "--size", LARGE, "--prefix", "large-"]
        seconds = max(8, self.args.seconds)
        out = {"components": self.components()}
        out["put_large"] = self.on_product("put", "--create-bucket", "--payload", "signed", *words, seconds=seconds, warm_up=3)
        words += ["--keys", LARGE_KEYS] + (["--preload"] if number == 0 else [])
        out["get_large"] = self.on_product("get", *words)
        return out

    def fill_bucket(self, bucket, keys):
        """One PUT of an empty object, then copies of its row under the other keys: what is listed is rows."""
        self.on_product("put", "--bucket", bucket, "--create-bucket", "--connections", 1, "--size", 0, "--prefix", "template-",
                        seconds=0.1, warm_up=0)
        columns = self.product.sql("select string_agg(column_name, ',') from information_schema.columns where table_name = 'objects'")
        values = ["convert_to(lpad((n / {0})::text, 6, '0') || '/' || lpad(n::text, 12, '0'), 'UTF8')".format(keys // FOLDERS)
                  if column == "key" else "o." + column for column in columns.split(",")]
        source = f"(select * from objects where bucket_id = (select id from buckets where name = '{bucket}') limit 1) o"
        self.product.sql(f"insert into objects ({columns}) select {', '.join(values)} from {source}, generate_series(0, {keys - 1}) n")
        self.product.sql("delete from objects where convert_from(key, 'UTF8') like 'template-%' and bucket_id = "
                         f"(select id from buckets where name = '{bucket}')")
        self.product.sql("vacuum (analyze) objects")

    def list_pages(self, number):
        if number == 0:
            self.fill_bucket("few", FEW_KEYS)
            self.fill_bucket("many", MANY_KEYS)
        out = {}
        for name, keys in (("few", FEW_KEYS), ("many", MANY_KEYS)):
            words = ["--bucket", name, "--keys", keys, "--folders", FOLDERS, "--prefix", "", "--connections", 8]
            out[f"list_{name}"] = self.on_product("list", *words)
            out[f"list_folders_{name}"] = self.on_product("list", *words, "--delimiter", "/")
        return out

    def features(self, number):
        """Each feature in a bucket of its own; what is plain is measured between them, as one of them."""
        out = {}
        if number == 0:
            self.product.cli("kms", "create", "bench")
        for name, settings, words in FEATURES:
            bucket = name.lower().replace(" ", "-")
            if number == 0:
                self.product.put(f"/{bucket}")
                for query, document in settings(bucket):
                    self.product.put(f"/{bucket}", query, document)
            words = ["--bucket", bucket, *words]
            small = [*words, "--connections", SMALL_CONNECTIONS, "--size", SMALL]
            out[f"put {SMALL}, {name}"] = self.on_product("put", *small)
            out[f"get {SMALL}, {name}"] = self.on_product("get", *small, "--prefix", "read-", "--keys", GET_KEYS,
                                                          *(["--preload"] if number == 0 else []))
            if name in LARGE_FEATURES:
                large = [*words, "--connections", LARGE_CONNECTIONS, "--size", LARGE, "--prefix", "large-"]
                out[f"put {LARGE}, {name}"] = self.on_product("put", "--payload", "signed", *large, warm_up=2)
                out[f"get {LARGE}, {name}"] = self.on_product("get", *large, "--keys", LARGE_KEYS, *(["--preload"] if number == 0 else []))
        return out

    def base(self, number):
        commit = json.loads(run([self.args.yardsticks / "disk", "commit", self.folder, 3]))
        return {"group_commit": commit, "pgbench_per_s": self.pgbench()}

    def measure(self):
        steps = {"put-small": self.put_small, "get-small": self.get_small, "large": self.large, "list": self.list_pages,
                 "features": self.features, "base": self.base}
        for number in range(self.args.rounds):
            self.rounds.append({})
            for section in self.args.only:
                print(f"round {number + 1} of {self.args.rounds}: {section}", file=sys.stderr, flush=True)
                self.rounds[-1].update(steps[section](number))
        return {"rounds": self.rounds, "memory_mib": self.memory()}

    def memory(self):
        """Highest resident size of gateway and nodes together, from the last run that looked at them."""
        for result in reversed([value for entry in self.rounds for value in entry.values()]):
            if isinstance(result, dict) and "nodes" in result.get("processes", {}) and "peak_mib" in result["processes"]["gateway"]:
                return {name: result["processes"][name]["peak_mib"] for name in ("gateway", "nodes")}
        return {}


# Report -------------------------------------------------------------------------------------------------------------
def server_us(result):
    """CPU of the product for a request."""
    return sum(group["cpu_us_per_request"] for name, group in result["processes"].items() if name != "client")


GOALS = [
    ("PUT 4 KiB / floor chain", 0.40, ">=", lambda r: r["put_small"]["per_s"] / r["floor_put"]["per_s"]),
    ("GET 4 KiB / nginx static", 0.15, ">=", lambda r: r["get_small"]["per_s"] / r["nginx_get"]["per_s"]),
    ("PUT 64 MiB signed / bound", 0.45, ">=", lambda r: r["put_large"]["mb_per_s"] / r["components"]["put_bound_mb_per_s"]),
    ("GET 64 MiB / socket copy", 0.20, ">=", lambda r: r["get_large"]["mb_per_s"] / 1e3 / r["components"]["socket_copy"]["gb_per_s"]),
    ("page of 1,000: 1 M keys / 10 k keys, CPU", 1.5, "<=", lambda r: server_us(r["list_many"]) / server_us(r["list_few"])),
    ("page of 1,000: 1 M keys / 10 k keys, time", 1.5, "<=",
     lambda r: r["list_many"]["operations"]["list"]["mean_us"] / r["list_few"]["operations"]["list"]["mean_us"]),
    ("the same with delimiter, CPU", 1.5, "<=", lambda r: server_us(r["list_folders_many"]) / server_us(r["list_folders_few"])),
    ("the same with delimiter, time", 1.5, "<=",
     lambda r: r["list_folders_many"]["operations"]["list"]["mean_us"] / r["list_folders_few"]["operations"]["list"]["mean_us"]),
    ("PUT 64 MiB, SSE-S3 / plain", 0.8, ">=", lambda r: r[f"put {LARGE}, SSE-S3"]["per_s"] / r[f"put {LARGE}, plain"]["per_s"]),
    ("GET 64 MiB, SSE-S3 / plain", 0.8, ">=", lambda r: r[f"get {LARGE}, SSE-S3"]["per_s"] / r[f"get {LARGE}, plain"]["per_s"]),
    ("PUT 4 KiB / raw group commit", None, "", lambda r: r["put_small"]["per_s"] / r["group_commit"]["per_s"]),
    ("PUT 4 KiB / pgbench commits", None, "", lambda r: r["put_small"]["per_s"] / r["pgbench_per_s"]),
]


def print_ratios(results):
    print(f"\n{'ratio':<44}{'median':>8}  {'goal':<9}rounds")
    for name, goal, sense, ratio in GOALS:
        try:
            values = [ratio(entry) for entry in results["rounds"]]
        except KeyError:
            continue
        middle = statistics.median(values)
        wanted, verdict = "", ""
        if goal is not None:
            wanted = f"{sense} {goal:g}"
            verdict = "" if (middle >= goal if sense == ">=" else middle <= goal) else "  MISSED"
        print(f"{name:<44}{middle:>8.2f}  {wanted:<9}{'  '.join(f'{value:.2f}' for value in values)}{verdict}")
    if results["memory_mib"]:
        total = sum(results["memory_mib"].values())
        print(f"{'gateway + nodes resident, MiB':<44}{total:>8.0f}  {'<= 1536':<9}{'' if total <= 1536 else '  MISSED'}")


def print_features(results):
    """What a feature costs where it is used: rate and CPU of the product beside plain requests of the same round."""
    rounds = [entry for entry in results["rounds"] if f"put {SMALL}, plain" in entry]
    if not rounds:
        return
    print(f"\n{'cost of a feature':<34}{'rate / plain':>13}{'CPU / plain':>13}{'gateway CPU us more':>21}  rounds of the rate")
    for name in [key for key in rounds[0] if ", " in key and not key.endswith(", plain")]:
        plain = name.split(", ")[0] + ", plain"
        rates = [entry[name]["per_s"] / entry[plain]["per_s"] for entry in rounds]
        cpu = [server_us(entry[name]) / server_us(entry[plain]) for entry in rounds]
        more = [entry[name]["processes"]["gateway"]["cpu_us_per_request"] - entry[plain]["processes"]["gateway"]["cpu_us_per_request"]
                for entry in rounds]
        print(f"{name:<34}{statistics.median(rates):>13.2f}{statistics.median(cpu):>13.2f}{statistics.median(more):>21.1f}  "
              f"{'  '.join(f'{rate:.2f}' for rate in rates)}")


def print_table(results):
    columns = ("client", "gateway", "nodes", "postgresql", "server")
    print(f"\n{'median of rounds':<28}{'per s':>9}{'MB/s':>8}{'p50 ms':>8}{'p99 ms':>8}   CPU us a request: "
          f"{'client':>8}{'gateway':>9}{'nodes':>9}{'postgresql':>12}{'server':>8}")
    names = [name for name, value in results["rounds"][0].items() if isinstance(value, dict) and "processes" in value]
    for name in names:
        runs = [entry[name] for entry in results["rounds"]]
        middle = lambda pick: statistics.median(pick(one) for one in runs)  # noqa: E731
        operation = next(iter(runs[0]["operations"]))
        cpu = [f"{middle(lambda one: one['processes'][column]['cpu_us_per_request']):.1f}" if column in runs[0]["processes"] else "-"
               for column in columns]
        print(f"{name:<28}{middle(lambda one: one['per_s']):>9.0f}{middle(lambda one: one['mb_per_s']):>8.0f}"
              f"{middle(lambda one: one['operations'][operation]['p50_us']) / 1e3:>8.2f}"
              f"{middle(lambda one: one['operations'][operation]['p99_us']) / 1e3:>8.2f}{'':>21}"
              f"{cpu[0]:>8}{cpu[1]:>9}{cpu[2]:>9}{cpu[3]:>12}{cpu[4]:>8}")
    for entry in results["rounds"]:
        if "components" in entry:
            parts = entry["components"]
            costs = ", ".join(f"{name} {value:.2f}" for name, value in parts["put_cpu_s_per_gb"].items())
            print(f"bound of PUT {LARGE}: {parts['put_bound_mb_per_s']:.0f} MB/s (CPU {parts['put_bound_by_cpu']:.0f}, disk "
                  f"{parts['put_bound_by_disk']:.0f}); CPU s/GB: {costs}; socket copy {parts['socket_copy']['gb_per_s']:.2f} GB/s")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="build folder of the product")
    parser.add_argument("--yardsticks", type=pathlib.Path, required=True, help="build folder of the yardsticks")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--port", type=int, default=19000, help="first of 1000 ports")
    parser.add_argument("--set", action="append", default=[], help="setting of the cluster, key=value")
    parser.add_argument("--out", type=pathlib.Path, help="folder of the results (build/bench)")
    args = parser.parse_args()
    args.only = args.only.split(",")
    unknown = set(args.only) - set(SECTIONS)
    if unknown or args.rounds < 1:
        parser.error(f"no such section: {', '.join(unknown)}" if unknown else "at least one round")
    args.out = args.out or args.root / "build/bench"
    return args


def main():
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rondel-bench.", dir="/var/tmp"))
    os.chmod(folder, 0o755)
    campaign = None
    try:
        campaign = Campaign(args, folder)
        results = campaign.measure()
    finally:
        if campaign:
            campaign.end_children()
            campaign.product.stop()
        shutil.rmtree(folder)
    (args.out / "results.json").write_text(json.dumps(results, indent=1))
    print_table(results)
    print_features(results)
    print_ratios(results)
    print(f"\nall figures: {args.out / 'results.json'}")


if __name__ == "__main__":
    main()
