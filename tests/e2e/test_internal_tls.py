"""Gateways and nodes over mutual TLS."""
import random
import socket
import subprocess

import boto3
import pytest

from cluster import ROOT, Cluster


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    peers = ["gateway/gateway-1"] + [f"node/node-{k}" for k in range(1, 5)]
    subprocess.run([str(ROOT / "deploy/local/certificates.sh"), str(folder), *peers], check=True, capture_output=True)
    return folder


def test_bytes_flow_and_strangers_do_not_get_in(certificates):
    cluster = Cluster(options=[f"rpc.tls_authority_file={certificates}/authority.pem", f"rpc.tls_certificate_file={certificates}/{{name}}.pem",
                                           f"rpc.tls_key_file={certificates}/{{name}}.key"])
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
            with socket.create_connection(("127.0.0.1", port), timeout=300) as plain:
                plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
                plain.settimeout(300)
                try:
                    answer = plain.recv(64)
                except ConnectionError:
                    answer = b""
                assert not answer.startswith(b"\x00\x00")  # No HTTP/2 settings frame: the handshake was wanted.
    finally:
        cluster.wipe()
