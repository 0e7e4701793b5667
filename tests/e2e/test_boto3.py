import subprocess
import sys
import venv

import boto3
import pytest

import boto3_cases
from cluster import BUILD, ROOT


@pytest.mark.parametrize("case", boto3_cases.CASES, ids=lambda case: case.__name__)
def test_debian_boto3(cluster, bucket, case):
    case(cluster.boto3(boto3, signature_version="s3v4"), bucket)


def test_newest_boto3(cluster):
    """It sends CRC checksums in trailers and signed chunks by default."""
    folder = BUILD / "newest-boto3"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    installed = subprocess.run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "boto3[crt]"],
                               capture_output=True, text=True, timeout=900)
    if installed.returncode != 0:
        pytest.skip("PyPI does not answer: " + installed.stderr[-200:])
    done = subprocess.run([str(python), str(ROOT / "tests/e2e/boto3_cases.py")], capture_output=True, text=True, timeout=1800,
                          env=cluster.client_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed") == len(boto3_cases.CASES)
