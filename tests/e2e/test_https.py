"""HTTPS with certificates of our own: chosen by host, taken anew on SIGHUP."""
import os
import shutil
import signal
import socket
import ssl
import subprocess

import boto3
import pytest

import boto3_cases
import raw
from cluster import Cluster, wait_for

BASE = "s3.example.test"


def certificate(folder, name, *hosts):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=" + ",".join(hosts), "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")],
                   check=True, capture_output=True)
    for ending in ("pem", "key"):
        (folder / f"{name}.{ending}").chmod(0o644)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    for part in [folder, *folder.parents][:3]:
        part.chmod(0o755)
    certificate(folder, "default", "IP:127.0.0.1", "DNS:localhost")
    certificate(folder, "hosts", f"DNS:{BASE}", f"DNS:*.{BASE}")
    certificate(folder, "next", "IP:127.0.0.1", "DNS:localhost")
    return folder


@pytest.fixture(scope="module")
def secure(files):
    cluster = Cluster(options=[
        f"gateway.tls_certificate_file={files}/default.pem", f"gateway.tls_key_file={files}/default.key",
        f"gateway.tls_certificates=[{{certificate_file: {files}/hosts.pem, key_file: {files}/hosts.key}}]", f"s3.virtual_host_base={BASE}"])
    started = cluster.up()
    assert started.returncode == 0, started.stdout + started.stderr
    yield cluster
    cluster.wipe()


def client(cluster, ca, **config):
    made = cluster.boto3(boto3, signature_version="s3v4", **config)
    made._endpoint.http_session._verify = str(ca)
    return made


def connect(cluster, files, name=None, ca="default", **settings):
    context = ssl.create_default_context(cafile=str(files / f"{ca}.pem"))
    context.check_hostname = name is not None
    for key, value in settings.items():
        if key == "alpn":
            context.set_alpn_protocols(value)
        else:
            setattr(context, key, value)
    plain = socket.create_connection(("127.0.0.1", cluster.port), timeout=300)
    return context.wrap_socket(plain, server_hostname=name)


def test_cases_over_https(secure, files):
    assert secure.endpoint.startswith("https://")
    s3 = client(secure, files / "default.pem")
    for case in (boto3_cases.objects_come_back, boto3_cases.multipart, boto3_cases.checksums, boto3_cases.every_checksum, boto3_cases.copies):
        name = case.__name__.replace("_", "-")
        s3.create_bucket(Bucket=name)
        case(s3, name)


def test_customer_keys_need_tls(secure, files, cluster, bucket):
    """`cluster` speaks plain HTTP and has s3.allow_sse_c_over_http unset, as both have."""
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": bytes(range(32))}
    s3 = client(secure, files / "default.pem")
    s3.create_bucket(Bucket="customer-keys")
    s3.put_object(Bucket="customer-keys", Key="k", Body=b"sealed", **key)
    assert s3.get_object(Bucket="customer-keys", Key="k", **key)["Body"].read() == b"sealed"
    plain = cluster.boto3(boto3, signature_version="s3v4")
    for call, more in ((plain.put_object, {"Body": b"x"}), (plain.get_object, {}), (plain.create_multipart_upload, {})):
        boto3_cases.refused(call, "InvalidRequest", Bucket=bucket, Key="k", **key, **more)


def test_virtual_host_style(secure, files):
    """Signed for the virtual host; the connection goes to the address, the name stands in SNI and Host."""
    s3 = client(secure, files / "default.pem")
    s3.create_bucket(Bucket="virtual")
    s3.put_object(Bucket="virtual", Key="a/b", Body=b"by host")
    from botocore.config import Config
    signer = boto3.client("s3", endpoint_url=f"https://{BASE}", aws_access_key_id=secure.env["AWS_ACCESS_KEY_ID"],
                          aws_secret_access_key=secure.env["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1",
                          config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))
    url = signer.generate_presigned_url("get_object", Params={"Bucket": "virtual", "Key": "a/b"}, ExpiresIn=60)
    assert url.startswith(f"https://virtual.{BASE}/a/b?")
    target = url[len(f"https://virtual.{BASE}"):]
    with connect(secure, files, f"virtual.{BASE}", "hosts") as wire:
        wire.sendall(f"GET {target} HTTP/1.1\r\nHost: virtual.{BASE}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: wire.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\nby host"), answer


def test_the_certificate_follows_the_name(secure, files):
    for name, ca in ((f"{BASE}", "hosts"), (f"bucket.{BASE}", "hosts"), ("localhost", "default")):
        with connect(secure, files, name, ca):
            pass
    for name, ca in ((f"a.b.{BASE}", "hosts"), ("elsewhere.test", "default")):
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(secure, files, name, ca)


def test_protocols(secure, files):
    with connect(secure, files, alpn=["h2", "http/1.1"]) as wire:
        assert wire.selected_alpn_protocol() == "http/1.1"
    with connect(secure, files) as wire:
        assert wire.selected_alpn_protocol() is None and wire.version() == "TLSv1.3"
    with connect(secure, files, maximum_version=ssl.TLSVersion.TLSv1_2) as wire:
        assert wire.version() == "TLSv1.2"
    with pytest.raises(ssl.SSLError):
        connect(secure, files, alpn=["h2"])
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(secure, files, maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1)
    with socket.create_connection(("127.0.0.1", secure.port), timeout=300) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1 2" not in plain.recv(4096)


def test_sighup_takes_new_files(secure, files):
    def serial():
        with connect(secure, files, ca="default", check_hostname=False, verify_mode=ssl.CERT_NONE) as wire:
            return wire.getpeercert(binary_form=True)
    before = serial()
    kept = {ending: (files / f"default.{ending}").read_bytes() for ending in ("pem", "key")}
    (files / "default.pem").write_bytes((files / "next.pem").read_bytes())
    secure.kill("gateway-1", signal.SIGHUP)   # Certificate and key do not fit: the old pair stays.
    assert serial() == before
    shutil.copy(files / "next.key", files / "default.key")
    secure.kill("gateway-1", signal.SIGHUP)
    wait_for(lambda: serial() != before, 5, "the new certificate")
    for ending, data in kept.items():
        (files / f"default.{ending}").write_bytes(data)
    secure.kill("gateway-1", signal.SIGHUP)
    wait_for(lambda: serial() == before, 5, "the old certificate")


def test_raw_requests_over_https(secure, files):
    context = ssl.create_default_context(cafile=str(files / "default.pem"))
    answer = raw.send(secure.endpoint, "GET", "/virtual/a/b", context=context)
    assert answer.status == 403 and answer.code() == "AccessDenied"
    assert os.path.exists(secure.data / "env")
