"""Command line clients that others wrote, as their users run them."""
import random
import shutil
import subprocess
import urllib.request

import pytest

MIB = 1 << 20


def run(cluster, *words, **more):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=900,
                          env={**cluster.client_environment(), **more.pop("environment", {})}, **more)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def tree(folder, files):
    for name, size in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.randbytes(size))
    return folder


def same(a, b):
    return subprocess.run(["diff", "-r", str(a), str(b)], capture_output=True).returncode == 0


FILES = {"small.txt": 100, "empty": 0, "dir/one": 4096, "dir/deep/two": 300_000, "big.bin": 20 * MIB, "sp ace/ü": 10}


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


# Debian's, and the one found first if it is another.
AWS_CLIS = sorted({program for program in ("/usr/bin/aws", shutil.which("aws")) if program and shutil.which(program)})


@pytest.mark.parametrize("program", AWS_CLIS)
def test_aws_cli(cluster, bucket, tmp_path, program):
    source = tree(tmp_path / "source", FILES)

    # Debian's aws presigns with signature version 2 unless told otherwise.
    config = tmp_path / "aws-config"
    config.write_text("[default]\ns3 =\n  signature_version = s3v4\n")

    def aws(*words):
        return run(cluster, program, "--endpoint-url", cluster.endpoint, *words, environment={"AWS_CONFIG_FILE": str(config)})
    assert bucket in aws("s3", "ls")
    aws("s3", "sync", source, f"s3://{bucket}/tree")
    listing = aws("s3", "ls", "--recursive", "--summarize", f"s3://{bucket}/")
    assert "Total Objects: 6" in listing and str(20 * MIB) in listing
    aws("s3", "sync", f"s3://{bucket}/tree", tmp_path / "back")
    assert same(source, tmp_path / "back")
    aws("s3", "cp", f"s3://{bucket}/tree/big.bin", f"s3://{bucket}/copy.bin")
    aws("s3", "mv", f"s3://{bucket}/copy.bin", f"s3://{bucket}/moved.bin")
    aws("s3", "cp", f"s3://{bucket}/moved.bin", tmp_path / "moved.bin")
    assert (tmp_path / "moved.bin").read_bytes() == (source / "big.bin").read_bytes()
    url = aws("s3", "presign", f"s3://{bucket}/tree/small.txt").strip()
    assert urllib.request.urlopen(url, timeout=300).read() == (source / "small.txt").read_bytes()
    head = aws("s3api", "head-object", "--bucket", bucket, "--key", "tree/big.bin")
    assert str(20 * MIB) in head
    aws("s3", "rm", "--recursive", f"s3://{bucket}/")
    assert aws("s3", "ls", f"s3://{bucket}/") == ""


@needs("rclone")
def test_rclone(cluster, bucket, tmp_path):
    source = tree(tmp_path / "source", FILES)
    config = {"RCLONE_CONFIG_R_TYPE": "s3", "RCLONE_CONFIG_R_PROVIDER": "Other", "RCLONE_CONFIG_R_ENV_AUTH": "true",
              "RCLONE_CONFIG_R_ENDPOINT": cluster.endpoint, "RCLONE_CONFIG_R_REGION": "us-east-1"}

    def rclone(*words):
        return run(cluster, "rclone", "--retries", "1", *words, environment=config)
    rclone("copy", source, f"R:{bucket}/tree", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M")
    rclone("check", source, f"R:{bucket}/tree", "--download")
    rclone("check", source, f"R:{bucket}/tree")
    rclone("copy", f"R:{bucket}/tree", tmp_path / "back")
    assert same(source, tmp_path / "back")
    rclone("moveto", f"R:{bucket}/tree/small.txt", f"R:{bucket}/renamed.txt")
    assert "renamed.txt" in rclone("lsf", f"R:{bucket}")
    (source / "dir/one").write_bytes(b"changed")
    rclone("sync", source, f"R:{bucket}/tree")
    assert rclone("cat", f"R:{bucket}/tree/dir/one") == "changed"
    rclone("purge", f"R:{bucket}/tree")
    assert rclone("size", f"R:{bucket}", "--json").startswith('{"count":1,')


@needs("s3cmd")
def test_s3cmd(cluster, bucket, tmp_path):
    source = tree(tmp_path / "source", FILES)
    host = cluster.endpoint.removeprefix("http://")
    config = tmp_path / "s3cfg"
    config.write_text(f"""[default]
access_key = {cluster.env['AWS_ACCESS_KEY_ID']}
secret_key = {cluster.env['AWS_SECRET_ACCESS_KEY']}
host_base = {host}
host_bucket = {host}
use_https = False
signature_v2 = False
""")

    def s3cmd(*words):
        return run(cluster, "s3cmd", "-c", config, "--no-progress", *words)
    assert bucket in s3cmd("ls")
    s3cmd("sync", "--multipart-chunk-size-mb=5", f"{source}/", f"s3://{bucket}/tree/")
    assert s3cmd("ls", "--recursive", f"s3://{bucket}/").count("s3://") == 6
    (tmp_path / "back").mkdir()
    s3cmd("sync", f"s3://{bucket}/tree/", f"{tmp_path}/back/")
    assert same(source, tmp_path / "back")
    s3cmd("cp", f"s3://{bucket}/tree/big.bin", f"s3://{bucket}/copy.bin")
    assert "MD5 sum" in s3cmd("info", f"s3://{bucket}/copy.bin")
    s3cmd("mv", f"s3://{bucket}/copy.bin", f"s3://{bucket}/moved.bin")
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}/")
    assert s3cmd("ls", f"s3://{bucket}/") == ""


@needs("restic")
def test_restic(cluster, bucket, tmp_path):
    source = tree(tmp_path / "source", {**FILES, **{f"many/{n}": 1000 + n for n in range(200)}})
    environment = {"RESTIC_REPOSITORY": f"s3:{cluster.endpoint}/{bucket}", "RESTIC_PASSWORD": "test",
                   "RESTIC_CACHE_DIR": str(tmp_path / "cache")}

    def restic(*words):
        return run(cluster, "restic", *words, environment=environment)
    restic("init")
    restic("backup", source)
    (source / "dir/one").write_bytes(b"second version")
    restic("backup", source)
    assert restic("snapshots", "--json").count('"short_id"') == 2
    restic("check", "--read-data")
    restic("restore", "latest", "--target", tmp_path / "back")
    assert same(source, tmp_path / "back" / str(source).lstrip("/"))
    restic("forget", "--keep-last", "1", "--prune")
    restic("check", "--read-data")
