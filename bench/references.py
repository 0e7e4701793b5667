#!/usr/bin/env python3
"""What references cost PostgreSQL: a PUT under two schemas, and the second look at released streams. README.md says how to read it.

    bench/references.py put --before OLD --before-bin OLD/build/release
    bench/references.py look --versions 10000000
"""
import argparse
import contextlib
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BINARIES = "/usr/lib/postgresql/15/bin"
# As connections of the product have it.
SESSION = ("set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off;"
           "set enable_bitmapscan = off; set jit = off; set client_min_messages = error;")

PUT = """
create table bench_run (n bigint);
create procedure bench_put(prefix text, rows integer) language plpgsql as $$
declare
  batch put_row[];
begin
  for i in 0..rows / 64 - 1 loop
    select array_agg(row({fields})::put_row)
      into batch from generate_series(0, 63) j;
    perform put_objects(batch);
    commit;
  end loop;
end $$;
insert into accounts (id, canonical_id, name, display_name) values ('000000000001', 'c', 'n', 'd');
insert into buckets (id, name, owner_account, region) overriding system value
  values (1, 'bench', '000000000001', 'us-east-1');
"""

# What a row of the batch says; the rest is NULL. Trees have other fields.
FIELDS = {
    "bucket_id": "1", "settings": "0", "epoch": "0", "first_ms": "now_ms()", "key": "convert_to(prefix || lpad((i * 64 + j)::text, 10, '0'), 'UTF8')",
    "clock": "int8send((now_ms() << 16) + j) || int8send(i)", "versioning": "0", "size": "4096", "etag": "'d41d8cd98f00b204e9800998ecf8427e'",
    "owner_account": "'000000000001'", "layout": "0", "stream": "int8send(i) || int4send(j)", "stream_size": "4096",
}


def put_procedure(session):
    names = session.run("select attname from pg_attribute where attrelid = 'put_row'::regclass and attnum > 0 order by attnum;").split()
    return PUT.replace("{fields}", ", ".join(FIELDS.get(name, "null") for name in names))


VERSIONS = """
insert into versions (bucket_id, key, version, is_null, delete_marker, shared, size, etag, owner_account, part_count, extent_count, stream, stream_size,
                      stream_offset, replaced_ms)
  select n % 16, convert_to('folder/object-' || lpad(n::text, 12, '0'), 'UTF8'), int8send(now_ms() << 16) || int8send(n), false, false, false, 4096,
    'd41d8cd98f00b204e9800998ecf8427e', '000000000001', 0, 1, substring(sha256(int8send(n)) for 12), 4096, 0, now_ms()
  from generate_series({first}, {last}) n;
"""
RELEASED = ("insert into released_streams (stream, size, released_at) select substring(sha256(int8send(n)) from 9 for 12), 4096,"
            " now() - interval '{age}' from generate_series(1, {count}) n;")


@contextlib.contextmanager
def server():
    """A PostgreSQL of our own as a cluster would have it, flushing, gone afterwards."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rondel-bench-", dir="/var/tmp"))
    shutil.chown(folder, "postgres")
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    run = lambda *command: subprocess.run([*as_postgres, *command], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    try:
        run(f"{BINARIES}/initdb", "-D", f"{folder}/data", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", "postgres")
        run(f"{BINARIES}/pg_ctl", "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o",
            f"-k {folder} -c listen_addresses= -c shared_buffers=256MB -c max_wal_size=4GB -c checkpoint_timeout=30min -c autovacuum=off", "start")
        yield str(folder)
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            run(f"{BINARIES}/pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(folder)


class Session:
    """One psql, and so one backend, whose processor time can be read."""

    def __init__(self, host, database):
        self.psql = subprocess.Popen(["psql", "-h", host, "-U", "postgres", "-d", database, "-qAtX", "-v", "ON_ERROR_STOP=1"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.run(SESSION)
        self.pid = int(self.run("select pg_backend_pid();"))

    def run(self, sql):
        self.psql.stdin.write(sql + "\n\\echo =end=\n")
        self.psql.stdin.flush()
        lines = []
        for line in self.psql.stdout:
            if line.rstrip() == "=end=":
                return "\n".join(lines)
            lines.append(line.rstrip())
        raise SystemExit("psql ended: " + " ".join(lines))

    def cpu(self):
        return int(pathlib.Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9

    def wal(self):
        return int(self.run("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn;"))


def make_database(host, name, rondel, migrations):
    subprocess.run(["createdb", "-h", host, "-U", "postgres", name], check=True)
    dsn = f"host={host} user=postgres dbname={name}"
    subprocess.run([rondel, "migrate", "--migrations", migrations, "--dsn", dsn], check=True, stdout=subprocess.DEVNULL)


def put(args):
    with server() as host:
        sessions = {}
        for name, build, tree in (("before", args.before_bin, args.before), ("after", args.bin, HERE.parent)):
            make_database(host, name, f"{build}/bin/rondel", f"{tree}/migrations")
            sessions[name] = Session(host, name)
            # Ages as a gateway has them.
            sessions[name].run("update garbage_collection set orphan_age_s = 86400;")
            sessions[name].run(put_procedure(sessions[name]))
        figures = {name: {"cpu": [], "wal": []} for name in sessions}
        for turn in range(args.rounds):
            for name in (["before", "after"] if turn % 2 == 0 else ["after", "before"]):
                session = sessions[name]
                session.run("checkpoint;")
                cpu, wal = session.cpu(), session.wal()
                session.run(f"call bench_put('round-{turn}-', {args.rows});")
                figures[name]["cpu"].append((session.cpu() - cpu) / args.rows * 1e6)
                figures[name]["wal"].append((session.wal() - wal) / args.rows)
            print(f"round {turn + 1}: CPU us a row {figures['before']['cpu'][-1]:.2f} -> {figures['after']['cpu'][-1]:.2f},"
                  f" WAL bytes a row {figures['before']['wal'][-1]:.0f} -> {figures['after']['wal'][-1]:.0f}", flush=True)
        for what, unit in (("cpu", "us"), ("wal", "bytes")):
            ratio = statistics.median(a / b for a, b in zip(figures["after"][what], figures["before"][what]))
            print(f"{what} a row, median: {statistics.median(figures['before'][what]):.2f} -> {statistics.median(figures['after'][what]):.2f} {unit},"
                  f" ratio {ratio:.3f}")


def literal(name):
    """A string constant of the product's source."""
    text = (HERE.parent / "metadata/postgres/second_look.cc").read_text()
    return "".join(re.findall(r'"([^"]*)"', re.search(name + r" =\n(.*?);\n", text, re.S).group(1)))


def check_statement(max_streams, grace):
    """The product's own statement, with its parameters put in."""
    before = int((time.time() - grace) * 1e6)
    return literal("kCheck").replace("$1", "0").replace("$2::bigint", str(before)).replace("$3", str(max_streams)) + ";"


def look(args):
    begin = literal("kSettings")
    with server() as host:
        make_database(host, "look", f"{args.bin}/bin/rondel", HERE.parent / "migrations")
        session = Session(host, "look")
        step = 1_000_000
        for first in range(0, args.versions, step):
            session.run(VERSIONS.format(first=first, last=min(first + step, args.versions) - 1))
        # An hour of grace waits behind what is due.
        session.run(RELEASED.format(age="10 minutes", count=args.waiting))
        session.run("vacuum analyze; checkpoint;")
        print(f"{args.versions} versions, {args.waiting} streams wait for their grace", flush=True)
        due = 20_000
        for turn in range(args.rounds):
            session.run(RELEASED.format(age="2 hours", count=due))
            cpu, wal, begun = session.cpu(), session.wal(), time.monotonic()
            found = session.run(begin + check_statement(2_000_000, 3600) + "commit;")
            took = time.monotonic() - begun
            used = session.cpu() - cpu
            pause = min(max(20 * took, 1), 600)
            print(f"pass {turn + 1}: {due} due, {found.strip('|')} checked and kept, {took:.2f} s, CPU {used:.2f} s, WAL {(session.wal() - wal) / due:.0f} bytes a"
                  f" stream; the next in {pause:.0f} s: {100 * used / (took + pause):.1f} % of a core at {args.rate} streams a second", flush=True)
            session.run("delete from released_streams where checked_at is not null; vacuum released_streams;")
            due = int(args.rate * (took + pause))   # What came meanwhile.


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("put")
    one.add_argument("--before", required=True, help="a tree of the commit before")
    one.add_argument("--before-bin", required=True, help="its build folder")
    one.add_argument("--rows", type=int, default=200_000)
    one.add_argument("--rounds", type=int, default=10)
    one.set_defaults(work=put)
    other = commands.add_parser("look")
    other.add_argument("--versions", type=int, default=10_000_000)
    other.add_argument("--waiting", type=int, default=3_600_000)
    other.add_argument("--rate", type=int, default=1000)
    other.add_argument("--rounds", type=int, default=4)
    other.set_defaults(work=look)
    for command in (one, other):
        command.add_argument("--bin", default=str(HERE.parent / "build" / "release"), help="build folder of this tree")
    args = parser.parse_args()
    args.work(args)


if __name__ == "__main__":
    main()
