"""Whoever is inside: a stolen certificate, a name that is another's, numbers that no database gave, a row that somebody holds, secrets
that lie about. An attacker, and what the cluster saw of it."""
import os
import pathlib
import random
import stat
import subprocess
import time

import boto3
import pytest

from cluster import BUILD, ROOT, Cluster, wait_for

SECRET = "sw0rdfish-sw0rdfish-sw0rdfish"
MEMBERS = ["gateway/gateway-1"] + [f"node/node-{k}" for k in range(1, 5)]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run([str(ROOT / "deploy/local/certificates.sh"), str(folder), *MEMBERS], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def sealed(certificates):
    """Mutual TLS, each process with a certificate of its own."""
    cluster = Cluster(options=[f"rpc.tls_authority_file={certificates}/authority.pem",
                                          f"rpc.tls_certificate_file={certificates}/{{name}}.pem",
                                          f"rpc.tls_key_file={certificates}/{{name}}.key"])
    started = cluster.up(environment={"RONDEL_ROOT_ACCESS_KEY": "INSIDEINSIDE", "RONDEL_ROOT_SECRET_KEY": SECRET})
    assert started.returncode == 0, started.stdout + started.stderr
    cluster.boto3(boto3).create_bucket(Bucket="sealed")
    yield cluster
    cluster.wipe()


@pytest.fixture(scope="module")
def plain():
    cluster = Cluster(options=["gc.grace=1s", "gc.trash=1h"])
    started = cluster.up()
    assert started.returncode == 0, started.stdout + started.stderr
    cluster.boto3(boto3).create_bucket(Bucket="plain")
    yield cluster
    cluster.wipe()


def rows_of_nodes(cluster):
    return cluster.sql("select name, encode(id, 'hex'), address, zone from nodes order by name")


def intruder(cluster, tmp_path, name, expected, certificate=None):
    """A node of the attacker's: another id, another address and zone. Its log has `expected` in the end."""
    certificates = [f"rpc.tls_{what}_file={path}" for what, path in (certificate or {}).items()]
    settings = [f"node.name={name}", "node.zone=elsewhere", f"node.listen=127.0.0.1:{cluster.port + 290}",
                f"node.operations_listen=127.0.0.1:{cluster.port + 390}", f"node.data_dir={tmp_path}/data",
                f"node.disks=[{{path: {tmp_path}/disk, capacity: 4GiB}}]", f"cluster.gateways=127.0.0.1:{cluster.port + 400}", *certificates]
    command = [str(BUILD / "bin" / "rondel-node")]
    for setting in settings:
        command += ["--set", setting]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    text = lambda: (tmp_path / "log").read_text()  # noqa: E731
    try:
        wait_for(lambda: process.poll() is not None or all(words in text() for words in expected), 20, "an answer to the intruder")
    finally:
        process.terminate()
        process.wait(300)
    assert all(words in text() for words in expected), text()


def test_a_stolen_certificate_moves_nobody(sealed, certificates, tmp_path):
    before = rows_of_nodes(sealed)
    assert [line.split("|")[0] for line in before.splitlines()] == ["node-1", "node-2", "node-3", "node-4"]
    stolen = {"authority": certificates / "authority.pem", "certificate": certificates / "node-2.pem", "key": certificates / "node-2.key"}
    (tmp_path / "own").mkdir()
    intruder(sealed, tmp_path / "own", "node-2", ["which is the name of node", "rondel node forget node-2"], stolen)
    (tmp_path / "other").mkdir()
    intruder(sealed, tmp_path / "other", "node-1", ["node-2.pem does not name", "spiffe://rondel/node/node-1"], stolen)
    assert rows_of_nodes(sealed) == before
    client = sealed.boto3(boto3)
    body = random.randbytes(300_000)
    client.put_object(Bucket="sealed", Key="k", Body=body)
    assert client.get_object(Bucket="sealed", Key="k")["Body"].read() == body


def test_a_name_belongs_to_whom_it_was_given(plain, tmp_path):
    before = rows_of_nodes(plain)
    intruder(plain, tmp_path, "node-1", ["says it is node-1, which is the name of node"])
    assert rows_of_nodes(plain) == before


def test_new_certificates_are_taken_without_a_restart(sealed, certificates):
    def ends():
        return {label: value for label, value in sealed.samples("rondel_tls_certificate_expiry_timestamp_seconds")}

    before = ends()
    assert len([label for label in before if "node-" in label or "gateway-1" in label]) == 5
    subprocess.run([str(ROOT / "deploy/local/certificates.sh"), str(certificates), "--days", "30", *MEMBERS], check=True, capture_output=True)
    for name, pid in sealed.processes().items():
        if name != "postgresql":
            os.kill(pid, 1)
    wait_for(lambda: all(value < before[label] for label, value in ends().items() if "authority" not in label), 20, "new certificates")
    sealed.kill("node-3")
    sealed.up()   # It connects with them, and the others with it.
    sealed.boto3(boto3).put_object(Bucket="sealed", Key="renewed", Body=b"x")


def test_no_secret_lies_about(sealed):
    for name in sealed.processes():
        for pid in sealed.pids_of(name):
            for what in ("environ", "cmdline"):
                try:
                    shown = pathlib.Path(f"/proc/{pid}/{what}").read_bytes()
                except OSError:
                    continue
                assert SECRET.encode() not in shown, f"{what} of {name}"
    assert stat.S_IMODE((sealed.data / "cluster.json").stat().st_mode) == 0o600
    place = pathlib.Path(sealed.dsn().split("host=")[1].split()[0])
    assert place.is_relative_to(sealed.data) and stat.S_IMODE(place.stat().st_mode) == 0o700
    for command in (["up", "--detach", "--migrations", str(ROOT / "migrations"), "--set", f"metadata.dsn=host=h password={SECRET}"],
                    ["migrate", "--migrations", str(ROOT / "migrations"), "--dsn", f"postgresql://u:{SECRET}@h/d"],
                    ["gc", "status", "--dsn", f"host=h password={SECRET}"], ["node", "list", "--dsn", f"password = {SECRET}"]):
        done = sealed.cli(*command)
        assert done.returncode == 1 and "command line" in done.stderr and SECRET not in done.stderr, done.stderr


def test_a_program_overwrites_what_it_was_started_with(tmp_path):
    """/proc/PID/environ shows the bytes of the start, whatever the process thinks of them since."""
    settings = {"RONDEL_METADATA_DSN": f"host={tmp_path} password={SECRET}", "RONDEL_METADATA_MASTER_KEY_FILE": str(tmp_path / "key"), "PGPASSWORD": SECRET}
    (tmp_path / "key").write_text("00" * 32)
    process = subprocess.Popen([str(BUILD / "bin" / "rondel-gateway")], env={**os.environ, **settings},
                               stderr=subprocess.PIPE)   # It waits for its database.
    try:
        shown = pathlib.Path(f"/proc/{process.pid}/environ")
        wait_for(lambda: b"RONDEL_METADATA_MASTER_KEY_FILE=\0" in shown.read_bytes() and SECRET.encode() not in shown.read_bytes(), 10,
                 "the environment to be overwritten")
    finally:
        process.kill()
        process.wait(300)


def varint(number):
    out = b""
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def call(port, method, message, folder):
    """A gRPC call by curl: (status, reply)."""
    (folder / "request").write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "--max-time", "300", "-H", "content-type: application/grpc", "-H", "te: trailers",
                           "--data-binary", f"@{folder}/request", "-D", str(folder / "heads"), "-o", str(folder / "reply"),
                           f"http://127.0.0.1:{port}{method}"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    heads = (folder / "heads").read_text()
    reply = (folder / "reply").read_bytes() if (folder / "reply").exists() else b""
    return int(heads.split("grpc-status:")[1].split()[0]) if "grpc-status:" in heads else 0, reply[5:]


def test_one_message_does_not_stop_garbage_collection(plain, tmp_path):
    """Without TLS any process of this machine may call: a token, a confirmation and an order that leap are heard by nobody."""
    client = plain.boto3(boto3)
    removed = lambda: max(value for _, value in plain.samples("rondel_coordinator_streams_removed_total"))  # noqa: E731
    client.put_object(Bucket="plain", Key="before", Body=random.randbytes(100_000))
    client.delete_object(Bucket="plain", Key="before")
    wait_for(lambda: removed() >= 1, 20, "a first removal")
    remembered = [(plain.data / f"node-{k}" / "metadata.seen").read_text().split()[1:5] for k in range(1, 5)]
    huge = 1 << 62
    generation = field(1, huge) + field(2, huge) + field(5, field(1, huge)) + field(6, huge)
    disk = bytes.fromhex((plain.data / "node-1" / "disks.known").read_text().split()[0])
    for port in range(plain.port + 200, plain.port + 204):
        status, reply = call(port, "/rondel.storage.v1.Storage/DeleteBlobs",
                             field(1, disk) + field(3, huge) + field(5, generation) + field(6, huge), tmp_path)
        assert status == 0 and field(4, 4) in reply, (status, reply)   # REFUSAL_UNHEARD.
        call(port, "/rondel.storage.v1.Storage/RestoreBlobs", field(1, disk) + field(2, bytes(16)) + field(3, huge), tmp_path)
    before = removed()
    client.put_object(Bucket="plain", Key="after", Body=random.randbytes(100_000))
    client.delete_object(Bucket="plain", Key="after")
    wait_for(lambda: removed() > before, 20, "removals to go on")
    assert max(value for _, value in plain.samples("rondel_gc_halted")) == 0
    after = [(plain.data / f"node-{k}" / "metadata.seen").read_text().split()[1:5] for k in range(1, 5)]
    assert [line[:2] for line in after] == [line[:2] for line in remembered] and all(int(line[2]) < 1 << 40 for line in after)
    assert int(plain.sql("select max(highest_order) from nodes")) < 1 << 40


def test_a_row_that_somebody_holds_costs_no_node_its_contact(plain):
    """As slow commits do: what a heartbeat waits for is a look, not a write."""
    client = plain.boto3(boto3)
    psql = subprocess.Popen(["psql", "-X", "-q", plain.dsn()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                            env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/lib/postgresql/15/bin"})
    try:
        psql.stdin.write("begin; select count(*) from (select from nodes for update) n; \\echo held\n")
        psql.stdin.flush()
        while "held" not in psql.stdout.readline():
            pass
        end = time.monotonic() + 13   # Ring contact is 10 s.
        while time.monotonic() < end:
            client.put_object(Bucket="plain", Key="k", Body=b"x" * 1000)
            assert all(value == 1 for _, value in plain.samples("rondel_node_ring_contact"))
            time.sleep(0.5)
    finally:
        psql.stdin.close()
        psql.wait(300)
