"""SSE-KMS with keys in HashiCorp Vault: a cluster beside a server that speaks the part of the transit engine's HTTP API it needs."""
import base64
import http.server
import json
import os
import random
import threading

import boto3
import pytest

from boto3_cases import refused
from cluster import Cluster

TOKEN = "the-token-of-the-gateways"
BODY = random.randbytes(150_001)


class Transit(http.server.BaseHTTPRequestHandler):
    """Wraps by XOR with one pad a key version, so that what comes back was really wrapped here."""
    protocol_version = "HTTP/1.1"
    keys = {}      # Name: pads, oldest first.
    answers = 0

    def answer(self, status, document):
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def handle_any(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.headers.get("X-Vault-Token") != TOKEN:
            return self.answer(403, {"errors": ["permission denied"]})
        type(self).answers += 1
        verb, _, key = self.path.removeprefix("/v1/transit/").rpartition("/")
        pads = self.keys.get(key)
        if pads is None:
            return self.answer(404 if verb == "keys" else 400, {"errors": ["encryption key not found"]})
        if verb == "keys":
            return self.answer(200, {"data": {"name": key, "latest_version": len(pads), "min_decryption_version": 1, "keys": {"1": 1_700_000_000}}})
        if verb == "datakey/plaintext":
            plaintext = os.urandom(32)
        else:
            version, sealed = body["ciphertext"].removeprefix("vault:v").split(":")
            plaintext = self.turn(pads[int(version) - 1], base64.b64decode(sealed))
        wrapped = f"vault:v{len(pads)}:" + base64.b64encode(self.turn(pads[-1], plaintext)).decode()
        shown = {"datakey/plaintext": ("plaintext", "ciphertext"), "decrypt": ("plaintext",), "rewrap": ("ciphertext",)}[verb]
        every = {"plaintext": base64.b64encode(plaintext).decode(), "ciphertext": wrapped}
        self.answer(200, {"data": {name: every[name] for name in shown}})

    do_GET = do_POST = handle_any

    @staticmethod
    def turn(pad, text):
        return bytes(a ^ b for a, b in zip(pad, text, strict=True))

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def vault():
    Transit.keys = {"one": [os.urandom(32)]}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Transit)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def cluster(vault, tmp_path_factory):
    token = tmp_path_factory.mktemp("vault") / "token"
    for part in [token.parent, *token.parents][:4]:
        part.chmod(0o755)
    token.write_text(TOKEN)
    made = Cluster(options=["kms.provider=vault", f"kms.vault_address=http://127.0.0.1:{vault.server_address[1]}",
                                        f"kms.vault_token_file={token}", "kms.default_key=absent",
                            "kms.timeout=60s"])   # The stand-in shares this machine with its tests.
    started = made.up()
    assert started.returncode == 0, started.stdout + started.stderr
    yield made
    made.wipe()


def test_objects_under_keys_of_vault(cluster):
    s3 = cluster.boto3(boto3, signature_version="s3v4")
    s3.create_bucket(Bucket="vault")
    kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "one"}
    s3.put_object(Bucket="vault", Key="old", Body=BODY, **kms)
    Transit.keys["one"].append(os.urandom(32))
    s3.put_object(Bucket="vault", Key="new", Body=BODY, **kms)
    s3.copy_object(Bucket="vault", Key="copy", CopySource={"Bucket": "vault", "Key": "old"}, **kms)
    for key in ("old", "new", "copy"):
        got = s3.get_object(Bucket="vault", Key=key)
        assert got["Body"].read() == BODY and got["SSEKMSKeyId"] == "one"
    # A bucket key asks once for many objects.
    s3.put_object(Bucket="vault", Key="first", Body=BODY, BucketKeyEnabled=True, **kms)
    before = Transit.answers
    for n in range(10):
        s3.put_object(Bucket="vault", Key=f"n{n}", Body=BODY, BucketKeyEnabled=True, **kms)
    assert s3.get_object(Bucket="vault", Key="n9")["Body"].read() == BODY
    assert Transit.answers == before
    # SSE-S3 is wrapped by our own key ring.
    s3.put_object(Bucket="vault", Key="own", Body=BODY, ServerSideEncryption="AES256")
    assert s3.get_object(Bucket="vault", Key="own")["Body"].read() == BODY
    assert Transit.answers == before
    refused(s3.put_object, "KMS.NotFoundException", Bucket="vault", Key="x", Body=b"x", ServerSideEncryption="aws:kms")


def test_no_vault_no_such_objects(cluster, vault):
    s3 = cluster.boto3(boto3, signature_version="s3v4")
    s3.create_bucket(Bucket="gone")
    s3.put_object(Bucket="gone", Key="k", Body=BODY, ServerSideEncryption="aws:kms", SSEKMSKeyId="one")
    s3.put_object(Bucket="gone", Key="plain", Body=BODY)
    kept, Transit.keys = Transit.keys, {}
    refused(s3.get_object, "KMS.NotFoundException", Bucket="gone", Key="k")
    assert s3.get_object(Bucket="gone", Key="plain")["Body"].read() == BODY
    Transit.keys = kept
    assert s3.get_object(Bucket="gone", Key="k")["Body"].read() == BODY
