#!/usr/bin/env python3
"""What expiring objects costs, in buckets of several sizes, and what requests meanwhile notice of it. README.md says how to read it."""
import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import urllib.request

from campaign import Product, run

DAY_SECONDS = 10          # A short rule day only so that the job looks often; what is old is old by thousands of them.
RULE_DAYS = 1000
OBJECT_BYTES = 4096
MIX = "get=70,put=30"

RULE = ("<LifecycleConfiguration><Rule><ID>old</ID><Status>Enabled</Status><Filter></Filter>"
        f"<Expiration><Days>{RULE_DAYS}</Days></Expiration></Rule></LifecycleConfiguration>")

# Version ids begin with their milliseconds; every stream is one of its own. Streams that no node holds cost their release all the same.
VALUES = {
    "key": "convert_to(lpad(n::text, 12, '0'), 'UTF8')",
    "version": "int8send((now_ms() - case when n % {step} = 0 then 864000000 else 0 end) << 16) || substring(sha256(int8send(n)) for 8)",
    "size": str(OBJECT_BYTES),
    "extent_count": "1",
    "stream": "substring(sha256(int8send(n)) from 9 for 12)",
    "stream_size": str(OBJECT_BYTES),
    "stream_offset": "0",
}


class Expiry:
    """One fresh cluster with one bucket of `keys` keys, of which every (keys / expire)-th is old."""

    def __init__(self, args, folder, keys):
        self.args, self.folder, self.keys = args, folder, keys
        self.expire = min(args.expire, keys)
        self.product = Product(args, folder)

    def load(self, *words):
        out = self.folder / "load.json"
        run([self.args.bin / "bin/rondel-bench", "mixed", "--mix", MIX, "--bucket", "front", "--size", OBJECT_BYTES, "--keys", 1000,
             "--connections", 32, "--rate", self.args.rate, "--duration", self.args.seconds, "--warmup", 1, "--json", out, *words],
            env={**os.environ, **self.product.environment})
        result = json.loads(out.read_text())
        if result["errors"]:
            sys.exit(f"lifecycle: requests failed: {result['errors']} {result['first_error']}")
        return {name: result["operations"][name]["p99_us"] / 1e3 for name in ("get", "put")}

    def fill(self):
        self.product.put("/aged")
        run([self.args.bin / "bin/rondel-bench", "put", "--bucket", "aged", "--connections", 1, "--size", 0, "--prefix", "template-",
             "--duration", 0.1, "--warmup", 0], env={**os.environ, **self.product.environment})
        sql = self.product.sql
        bucket = sql("select id from buckets where name = 'aged'")
        columns = sql("select string_agg(column_name, ',' order by ordinal_position) from information_schema.columns where table_name = 'objects'")
        values = [VALUES.get(column, "o." + column).format(step=self.keys // self.expire) for column in columns.split(",")]
        sql(f"create table template as select * from objects where bucket_id = {bucket} limit 1")
        sql(f"delete from objects where bucket_id = {bucket}")
        sql(f"delete from bucket_usage where bucket_id = {bucket}")
        sql(f"insert into bucket_usage (bucket_id, slot, objects, versions, bytes) values ({bucket}, 0, {self.keys}, {self.keys}, {self.keys * OBJECT_BYTES})")
        sql(f"insert into objects ({columns}) select {', '.join(values)} from template o, generate_series(0, {self.keys - 1}) n")
        sql("vacuum (analyze) objects")
        sql("checkpoint")

    def expired(self, name="expired"):
        total = 0
        for url in self.product.environment["RONDEL_METRICS_URLS"].strip("'\"").split(","):
            text = urllib.request.urlopen(url, timeout=10).read().decode()
            total += sum(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"rondel_lifecycle_{name}_total "))
        return int(total)

    def wait_until(self, condition, what):
        end = time.monotonic() + self.args.patience
        while not condition():
            if time.monotonic() > end:
                sys.exit(f"lifecycle: waited {self.args.patience} s for {what}")
            time.sleep(0.1)

    def scanned(self):
        """Rows that sequential scans and index scans have read of the heads' tables."""
        time.sleep(1.5)      # PostgreSQL hands its counters over once a second.
        text = self.product.sql("select coalesce(sum(seq_tup_read), 0), coalesce(sum(idx_tup_fetch), 0) from pg_stat_user_tables"
                                " where relname like 'objects\\_%'")
        return [int(number) for number in text.split("|")]

    def postgresql_cpu(self):
        """Seconds, of the server and of the backends that live."""
        server = self.product.pids()["postgresql"][0].split()[0]
        total = 0
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if stat.parent.name == server:
                total += sum(map(int, fields[11:15]))
            elif fields[1] == server:
                total += sum(map(int, fields[11:13]))
        return total / os.sysconf("SC_CLK_TCK")

    def measure(self):
        self.fill()
        alone = self.load("--create-bucket", "--preload")
        read_before = self.scanned()
        self.product.put("/aged", "lifecycle", RULE)
        self.wait_until(lambda: self.expired() > 0, "the first expired object")
        loaded_at, count = time.monotonic(), self.expired()
        together = self.load()
        still_running = self.expired() < self.expire
        under_load = (self.expired() - count) / (time.monotonic() - loaded_at)
        quiet_at, quiet_count, quiet_cpu = time.monotonic(), self.expired(), self.postgresql_cpu()
        self.wait_until(lambda: self.expired() >= self.expire, "every old object to expire")
        seconds, done = time.monotonic() - quiet_at, self.expired() - quiet_count
        cpu = self.postgresql_cpu() - quiet_cpu
        read = [after - before for before, after in zip(read_before, self.scanned())]
        left = int(self.product.sql("select count(*) from objects where bucket_id = (select id from buckets where name = 'aged')"))
        if left != self.keys - self.expire:
            sys.exit(f"lifecycle: {left} keys are left of {self.keys}, {self.expire} of them old")
        return {"keys": self.keys, "expired": self.expire, "examined": self.expired("examined"), "per_s_under_load": under_load,
                "still_running_after_load": still_running, "quiet_keys": done, "us_per_key": seconds * 1e6 / done if done else None,
                "postgresql_cpu_us_per_key": cpu * 1e6 / done if done else None, "sequential_rows": read[0], "index_rows": read[1],
                "p99_ms_alone": alone, "p99_ms_together": together}


def arguments():
    root = pathlib.Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, default=root / "build/release", help="build folder of the product")
    parser.add_argument("--keys", default="1000000,10000000", help="sizes of the bucket, one after another")
    parser.add_argument("--expire", type=int, default=100_000, help="how many of the keys are old")
    parser.add_argument("--rate", type=int, default=300, help="requests a second meanwhile")
    parser.add_argument("--seconds", type=float, default=15, help="of each load")
    parser.add_argument("--patience", type=float, default=1800)
    parser.add_argument("--port", type=int, default=19000, help="first of 1000 ports")
    parser.add_argument("--set", action="append", default=[], help="setting of the cluster, key=value")
    parser.add_argument("--out", type=pathlib.Path, default=root / "build/bench")
    args = parser.parse_args()
    args.root, args.bin = root, args.bin.resolve()
    args.keys = [int(number) for number in args.keys.split(",")]
    args.set = [f"lifecycle.day_length={DAY_SECONDS}s", *args.set]
    return args


def number(value):
    return "-" if value is None else f"{value:.0f}"


def main():
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    results = []
    for keys in args.keys:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="rondel-bench.", dir="/var/tmp"))
        os.chmod(folder, 0o755)
        expiry = None
        try:
            expiry = Expiry(args, folder, keys)
            results.append(expiry.measure())
        finally:
            if expiry:
                expiry.product.stop()
            shutil.rmtree(folder)
        (args.out / "lifecycle.json").write_text(json.dumps(results, indent=1))
    print(f"{'keys':>10}{'expired':>9}{'examined':>10}{'per s, load':>13}{'us a key':>10}{'PG CPU us':>11}{'seq rows':>10}{'index rows a key':>18}"
          f"{'GET p99 ms':>16}{'PUT p99 ms':>18}")
    for one in results:
        pairs = [f"{one['p99_ms_alone'][name]:.2f} -> {one['p99_ms_together'][name]:.2f}" for name in ("get", "put")]
        print(f"{one['keys']:>10}{one['expired']:>9}{one['examined']:>10}{one['per_s_under_load']:>13.0f}{number(one['us_per_key']):>10}"
              f"{number(one['postgresql_cpu_us_per_key']):>11}{one['sequential_rows']:>10}{one['index_rows'] / one['expired']:>18.1f}"
              f"{pairs[0]:>16}{pairs[1]:>18}")
        if not one["still_running_after_load"]:
            print("  expiring ended before the load did: p99 is of both, give more keys to expire")
            continue
        for name in ("get", "put"):
            ratio = one["p99_ms_together"][name] / one["p99_ms_alone"][name]
            print(f"  {name.upper()} p99 meanwhile / alone {ratio:.2f}  <= 1.3{'' if ratio <= 1.3 else '  MISSED'}")
    print(f"\nall figures: {args.out / 'lifecycle.json'}")


if __name__ == "__main__":
    main()
