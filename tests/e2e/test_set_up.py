"""up and down as a new user meets them."""
import contextlib
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import urllib.request

import boto3
import pytest

import raw
from cluster import BUILD, ROOT, Cluster, free_ports, is_running, wait_for

NOBODY = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]


def test_writes_what_it_promises(cluster):
    mode = stat.S_IMODE((cluster.data / "env").stat().st_mode)
    assert mode == 0o600
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION",
                 "AWS_CONFIG_FILE", "RONDEL_METRICS_URLS", "RONDEL_CANONICAL_ID", "RONDEL_DISPLAY_NAME"):
        assert cluster.env[name], name
    assert {"gateway-1", "node-1", "node-2", "node-3", "node-4", "postgresql"} <= set(cluster.processes())
    for k in range(1, 5):
        assert (cluster.data / f"node-{k}").is_dir()


def test_processes_run_as_batch(cluster):
    for name, pid in cluster.processes().items():
        policies = set()
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(ProcessLookupError):
                policies.add(os.sched_getscheduler(int(thread)))
        assert policies == {os.SCHED_BATCH}, name


def test_a_gateway_that_the_database_left_behind_says_so_in_one_line(cluster):
    least = cluster.sql("select min_binary from cluster")
    number = cluster.sql("select number from schema_version")
    cluster.sql("update cluster set min_binary = 1000")
    try:
        config = cluster.data / "config" / "gateway-1.yaml"
        done = subprocess.run([BUILD / "bin" / "rondel-gateway", "--config", config], capture_output=True, text=True, timeout=300)
    finally:
        cluster.sql(f"update cluster set min_binary = {least}")
    assert done.returncode not in (0, None)
    lines = (done.stdout + done.stderr).splitlines()
    assert len(lines) == 1 and "use a newer one" in lines[0] and f"schema {number}" in lines[0], lines


def test_second_up_changes_nothing(cluster):
    keys, pids = dict(cluster.env), cluster.processes()
    again = cluster.up()
    assert again.returncode == 0, again.stdout + again.stderr
    assert cluster.env == keys and cluster.processes() == pids


def test_a_killed_process_is_started_again(cluster):
    pid = cluster.processes()["node-4"]
    cluster.kill("node-4")
    wait_for(lambda: not is_running(pid), 10, "node-4 to end")
    assert cluster.up().returncode == 0
    assert is_running(cluster.processes()["node-4"])


def test_the_printed_command_works(cluster):
    printed = cluster.up().stdout
    command = next(line.strip() for line in printed.splitlines() if " aws s3 " in line)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    cluster.boto3(boto3).delete_bucket(Bucket="first-bucket")


def refused(*words, data=None):
    with tempfile.TemporaryDirectory(prefix="rondel-refused-") as folder:
        os.chmod(folder, 0o755)
        target = data or os.path.join(folder, "data")
        done = subprocess.run([str(ROOT / "deploy/local/up.sh"), "--bin", str(BUILD), "--no-install", "--data", target, *words],
                              capture_output=True, text=True, timeout=300)
        assert done.returncode != 0
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert not os.path.exists(os.path.join(target, "postgresql")) or data
        return done.stderr


def test_port_in_use_is_one_clear_line():
    port = free_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert f"port {port}" in refused("--port", str(port))


def test_foreign_folder_is_left_alone():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "mine.txt"), "w") as file:
            file.write("mine")
        assert "not empty" in refused("--port", str(free_ports()), data=folder)
        assert os.listdir(folder) == ["mine.txt"]


@pytest.mark.parametrize("words, expected", [
    (["--zones", "1"], "zone"),
    (["--nodes", "2", "--zones", "2"], "3 copies need as many nodes"),
    (["--nodes", "1", "--set", "replication.failure_domain=disk"], "3 copies need as many nodes"),
    (["--nodes", "2", "--zones", "3"], "--zones"),
    (["--set", "nonsense"], "key=value"),
    (["--set", "gateway.nonsense=1"], "gateway.nonsense"),
    (["--port", "80"], "--port"),
])
def test_bad_wishes_are_refused(words, expected):
    with tempfile.TemporaryDirectory(prefix="rondel-refused-") as folder:
        os.chmod(folder, 0o755)
        done = subprocess.run([str(ROOT / "deploy/local/up.sh"), "--bin", str(BUILD), "--no-install", "--data",
                               os.path.join(folder, "data"), "--port", str(free_ports()), *words], capture_output=True, text=True, timeout=300)
        assert done.returncode != 0 and expected in done.stdout + done.stderr


@pytest.fixture
def no_build(tmp_path):
    """An environment in which nothing can be built or installed, and who tries says so."""
    for program in ("cmake", "apt-get"):
        (tmp_path / program).write_text("#!/bin/sh\necho BEGUN >&2\nexit 1\n")
        (tmp_path / program).chmod(0o755)
    tmp_path.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}


def told_before_building(environment, *words, before=()):
    done = subprocess.run([*before, str(ROOT / "deploy/local/up.sh"), *words], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1 and not done.stdout, done.stdout + done.stderr
    assert "BEGUN" not in done.stderr
    return done.stderr


def test_what_is_in_the_way_is_said_before_anything_is_built(no_build):
    free = str(free_ports())
    with tempfile.TemporaryDirectory() as folder, socket.socket() as taken:
        os.chmod(folder, 0o755)
        data = os.path.join(folder, "data")
        # No other of the ports is anybody's.
        port = free_ports() + 400
        taken.bind(("127.0.0.1", port))
        taken.listen()
        for offset in (0, 100, 203, 301, 400):
            assert f"port {port} is in use" in told_before_building(no_build, "--data", data, "--port", str(port - offset))
        assert "--port must be" in told_before_building(no_build, "--data", data, "--port", "80")
        assert "3 copies need" in told_before_building(no_build, "--data", data, "--port", free, "--nodes=2")
        assert "one zone" in told_before_building(no_build, "--data", data, "--port", free, "--zones", "1")
        assert "number of nodes" in told_before_building(no_build, "--data", data, "--port", free, "--nodes", "3", "--zones", "4")
        assert not os.path.exists(data)
        with open(data, "w"):
            pass
        assert "is no folder" in told_before_building(no_build, "--data", data, "--port", free)
        assert "not empty" in told_before_building(no_build, "--data", folder, "--port", free)
        # Nobody can write there, or has room.
        assert "/sys" in told_before_building(no_build, "--data", "/sys/rondel", "--port", free)
        if os.geteuid() == 0:
            os.unlink(data)
            os.chmod(folder, 0o700)
            assert "is closed" in told_before_building(no_build, "--data", os.path.join(data, "below"), "--port", free)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_who_cannot_install_is_told_so(no_build, tmp_path):
    (tmp_path / "dpkg-query").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "dpkg-query").chmod(0o755)
    if subprocess.run([*NOBODY, "test", "-x", str(ROOT / "deploy/local/up.sh"), "-a", "-x", str(tmp_path)]).returncode:
        pytest.skip("nobody cannot get to these folders")
    assert "only root can install" in told_before_building(no_build, "--data", "/tmp/rondel-of-nobody", "--port", str(free_ports()), before=NOBODY)



@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_a_closed_folder_just_works_and_stays_closed(cluster):
    """As `mktemp -d` makes it. Neither its names nor its bytes are a third user's."""
    paths = [str(path) for path in [cluster.data, *cluster.data.rglob("*")]]
    assert len(paths) > 100
    # Each by its full name, which a third user may know.
    looker = ("import os, sys\nfor path in sys.stdin.read().split('\\0'):\n"
              "    if os.access(path, os.R_OK) or os.path.lexists(path) and path != sys.argv[1]: print(path)\n")
    done = subprocess.run([*NOBODY, "/usr/bin/python3", "-c", looker, str(cluster.data)], input="\0".join(paths), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    mode = stat.S_IMODE(cluster.data.stat().st_mode)
    assert mode & 0o067 == 0, oct(mode)


def test_what_is_not_ready_says_which_check_fails(tmp_path):
    """Nodes that look for gateways where there are none have no contact."""
    waiting = Cluster()
    programs = waiting.build / "bin"
    (tmp_path / "bin").mkdir()
    for name in ("rondel", "rondel-gateway"):
        shutil.copy(programs / name, tmp_path / "bin" / name)
    node = tmp_path / "bin" / "rondel-node"
    node.write_text(f'#!/bin/bash\nexec {programs / "rondel-node"} "$@" --set cluster.gateways=127.0.0.1:9\n')
    for path in (tmp_path.parent, tmp_path, tmp_path / "bin", node):
        path.chmod(0o755)
    waiting.build = tmp_path
    try:
        done = waiting.up("--ready-within", "20")   # It has begun by then, on a busy machine too.
        assert done.returncode != 0
        assert "gateway-1 is not ready after 20 s: ring: no ring epoch yet: too few disks have joined" in done.stderr, done.stderr
        assert not any(is_running(pid) for pid in waiting.processes().values())
    finally:
        waiting.wipe()


def test_a_file_that_cannot_be_written_is_told():
    """Not a cluster without its keys, its settings or its lines for the shell."""
    own = Cluster()
    try:
        assert own.up().returncode == 0
        for name in ("env", "aws-config"):
            (own.data / name).unlink()
            (own.data / name).mkdir()
            done = own.up()
            assert done.returncode != 0 and str(own.data / name) in done.stderr, done.stderr
            (own.data / name).rmdir()
        assert own.up().returncode == 0
        assert stat.S_IMODE((own.data / "env").stat().st_mode) == 0o600
    finally:
        own.wipe()


def test_presigning_works_with_what_up_writes(cluster, bucket):
    cluster.boto3(boto3).put_object(Bucket=bucket, Key="k", Body=b"presigned")
    # As the README says it, with nothing but DIR/env.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    by_boto3 = ("import boto3, os; print(boto3.client('s3', endpoint_url=os.environ['AWS_ENDPOINT_URL'])"
                f".generate_presigned_url('get_object', Params={{'Bucket': '{bucket}', 'Key': 'k'}}, ExpiresIn=600))")
    commands = [f"/usr/bin/python3 -c \"{by_boto3}\""]
    if shutil.which("aws"):
        commands.append(f"aws --endpoint-url $AWS_ENDPOINT_URL s3 presign s3://{bucket}/k --expires-in 600")
    for command in commands:
        done = subprocess.run(["bash", "-c", f"set -a; . {cluster.data}/env; set +a; {command}"], capture_output=True, text=True,
                              timeout=300, env={**clean, "HOME": str(cluster.data)})
        assert done.returncode == 0, done.stderr
        url = done.stdout.strip()
        assert "X-Amz-Signature=" in url
        assert urllib.request.urlopen(url, timeout=300).read() == b"presigned"


def test_a_url_of_the_older_signature_is_told_what_to_do(cluster, bucket):
    url = cluster.boto3(boto3, signature_version="s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    answer = raw.send(cluster.endpoint, "GET", url.removeprefix(cluster.endpoint))
    assert (answer.status, answer.code()) == (400, "InvalidRequest")
    assert "Please use AWS4-HMAC-SHA256." in answer.text and "signature_version = s3v4" in answer.text


def test_two_clusters_side_by_side(cluster):
    other = Cluster()
    try:
        started = other.up(environment={"RONDEL_ROOT_ACCESS_KEY": "CHOSENKEY", "RONDEL_ROOT_SECRET_KEY": "chosen-secret-key"})
        assert started.returncode == 0, started.stdout + started.stderr
        assert other.env["AWS_ACCESS_KEY_ID"] == "CHOSENKEY"
        other.boto3(boto3).create_bucket(Bucket="only-here")
        names = [b["Name"] for b in cluster.boto3(boto3).list_buckets()["Buckets"]]
        assert "only-here" not in names
    finally:
        other.wipe()
    assert not any(is_running(pid) for pid in other.processes().values()) if (other.data / "run").exists() else True


def test_accounts(cluster):
    made = cluster.cli("account", "create", "--name", "second", "--display-name", "Second", "--email", "second@example.test",
                       "--access-key", "SECONDKEY", environment={"RONDEL_SECRET_KEY": "second-secret"})
    assert made.returncode == 0, made.stderr
    again = cluster.cli("account", "create", "--name", "second")
    assert again.returncode != 0 and "second" in again.stderr
    client = boto3.client("s3", endpoint_url=cluster.endpoint, aws_access_key_id="SECONDKEY",
                          aws_secret_access_key="second-secret", region_name="us-east-1")
    client.create_bucket(Bucket="of-the-second")
    first = cluster.boto3(boto3)
    with pytest.raises(Exception, match="AccessDenied|Forbidden"):
        first.list_objects_v2(Bucket="of-the-second")
    with pytest.raises(Exception, match="BucketAlreadyExists"):
        first.create_bucket(Bucket="of-the-second")
    client.delete_bucket(Bucket="of-the-second")
    assert "second" in cluster.cli("account", "list").stdout
    assert cluster.cli("account", "disable", "second").returncode == 0
    wait_for(lambda: denied(client), 5, "the disabled account to be refused")


def denied(client):
    try:
        client.list_buckets()
        return False
    except Exception:  # Whatever boto3 makes of a 403.
        return True
