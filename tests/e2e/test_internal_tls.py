"""Gateways and nodes over mutual TLS."""
import random
import socket
import subprocess

import boto3
import pytest

from cluster import ROOT, Cluster


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """One certificate for both roles: `rondel up` gives all processes the same settings."""
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run([str(ROOT / "deploy/local/certificates.sh"), str(folder)], check=True, capture_output=True)
    (folder / "extensions").write_text("subjectAltName=DNS:rondel-gateway,DNS:rondel-node\nextendedKeyUsage=serverAuth,clientAuth\n")
    make = (f"cd {folder} && openssl req -new -key node.key -subj /CN=both -out both.csr && openssl x509 -req -in both.csr -CA authority.pem "
            "-CAkey authority.key -CAcreateserial -days 2 -extfile extensions -out both.pem")
    subprocess.run(make, shell=True, check=True, capture_output=True)
    return folder


def test_bytes_flow_and_strangers_do_not_get_in(certificates):
    cluster = Cluster(port=16000, options=[f"rpc.tls_authority_file={certificates}/authority.pem", f"rpc.tls_certificate_file={certificates}/both.pem",
                                           f"rpc.tls_key_file={certificates}/node.key"])
    try:
        started = cluster.up()
        assert started.returncode == 0, started.stdout + started.stderr
        client = cluster.boto3(boto3)
        client.create_bucket(Bucket="sealed")
        bodies = {f"k{size}": random.randbytes(size) for size in (1, 5000, 300_000, 9 << 20)}
        for key, body in bodies.items():
            client.put_object(Bucket="sealed", Key=key, Body=body)
        for key, body in bodies.items():
            assert client.get_object(Bucket="sealed", Key=key)["Body"].read() == body
        for port in (cluster.port + 200, cluster.port + 400):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
                plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
                plain.settimeout(5)
                try:
                    answer = plain.recv(64)
                except ConnectionError:
                    answer = b""
                assert not answer.startswith(b"\x00\x00")  # No HTTP/2 settings frame: the handshake was wanted.
    finally:
        cluster.wipe()
