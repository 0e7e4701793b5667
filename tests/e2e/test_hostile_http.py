"""What one client does on his connections: others do not notice, and nobody is taken for somebody else."""
import contextlib
import json
import socket
import struct

import boto3
import pytest

import raw
from cluster import running, wait_for
from signing import encode_query, sign

BUCKET = "hostile"
SECONDS = 4          # Heads, documents, and the window of the floor.
BODY = b"victim" * 1000


@pytest.fixture(scope="module")
def cluster():
    with running(BUCKET, options=[
            f"gateway.head_timeout={SECONDS}s", f"gateway.document_timeout={SECONDS}s", "gateway.rate_min=64KiB", f"gateway.rate_window={SECONDS}s",
            "gateway.rate_grace=1s", "gateway.proxy_protocol_networks=127.0.0.2/32", "gateway.trusted_proxies=127.0.0.3/32"]) as made:
        made.boto3(boto3).put_object(Bucket=BUCKET, Key="victim", Body=BODY)
        yield made


@pytest.fixture
def s3(cluster):
    client = cluster.boto3(boto3, signature_version="s3v4")
    yield client
    # The victim saw nothing.
    assert client.get_object(Bucket=BUCKET, Key="victim")["Body"].read() == BODY
    client.put_object(Bucket=BUCKET, Key="victim", Body=BODY)


def connect(cluster, source="127.0.0.1", receive=None):
    connection = socket.socket()
    if receive:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    connection.bind((source, 0))
    connection.settimeout(300)
    connection.connect(("127.0.0.1", cluster.port))
    return connection


def rest(connection):
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionError:
        pass
    return received


def head(cluster, method, target, **headers):
    lines = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{cluster.port}"] + [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def signed_head(cluster, method, path, query=(), length=None, payload=b"", unsigned=False):
    headers = {"host": f"127.0.0.1:{cluster.port}".encode()}
    headers = sign(cluster.env, method, path, list(query), headers, payload)
    text = "?" + encode_query(query) if query else ""
    lines = [f"{method} {path}{text} HTTP/1.1".encode()] + [name.encode() + b": " + value for name, value in headers.items()]
    if length is not None:
        lines.append(b"Content-Length: " + str(length).encode())
    return b"\r\n".join(lines) + b"\r\n\r\n"


def timed_out(answer):
    assert answer.startswith(b"HTTP/1.1 400 ") and b"<Code>RequestTimeout</Code>" in answer, answer
    assert b"Connection: close\r\n" in answer


def test_slow_peers_are_told_so_and_leave_nothing(cluster, s3):
    form = b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\n'
    policy = json.dumps({"Statement": []}).encode()
    cases = {
        "head": (b"GET /hostile/victim HTTP/1.1\r\nHost: h\r\nX: ", b"x"),
        "form": (head(cluster, "POST", f"/{BUCKET}", **{"Content-Type": "multipart/form-data; boundary=b", "Content-Length": 90_000}) + form, b"k"),
        "document": (signed_head(cluster, "PUT", f"/{BUCKET}", [(b"policy", b"")], length=1000, payload=policy) + policy[:1], b" "),
        "object": (signed_head(cluster, "PUT", f"/{BUCKET}/slow", length=1 << 30) + b"x" * 300_000, b"x"),
    }
    connections = {}
    for name, (begin, _) in cases.items():
        connections[name] = connect(cluster)
        connections[name].sendall(begin)
    # All at once, each by drops.
    answers = dict.fromkeys(cases, b"")

    def drops():
        for name, (_, drop) in cases.items():
            if b"</Error>" in answers[name]:
                continue
            connections[name].settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                answers[name] += connections[name].recv(65536)   # First: who is answered need not be there for more.
                continue
            with contextlib.suppress(ConnectionError):
                connections[name].sendall(drop)
        return all(b"</Error>" in answer for answer in answers.values())
    wait_for(drops, 12, "all of them to be told")
    for name, answer in answers.items():
        timed_out(answer)
        connections[name].close()
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert "slow" not in keys and "k" not in keys
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=BUCKET)
    assert sum(value for _, value in cluster.samples("rondel_http_slow_peers_total")) >= 4


def test_an_answer_that_nobody_reads_is_cut(cluster, s3):
    size = 32 << 20
    s3.put_object(Bucket=BUCKET, Key="large", Body=bytes(size))
    before = sum(value for _, value in cluster.samples("rondel_http_slow_peers_total"))
    with connect(cluster, receive=4096) as connection:
        connection.sendall(signed_head(cluster, "GET", f"/{BUCKET}/large"))
        wait_for(lambda: sum(value for _, value in cluster.samples("rondel_http_slow_peers_total")) > before, 15, "the answer to be cut")
        assert len(rest(connection)) < size
    s3.delete_object(Bucket=BUCKET, Key="large")


def test_heads_are_refused_above_8_kib_and_matched_whole_below(cluster, s3):
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*",
         "Condition": {"StringLike": {"aws:UserAgent": "*evil*"}}}]}))

    def get(agent, **more):
        with connect(cluster) as connection:
            text = head(cluster, "GET", f"/{BUCKET}/victim", **{"User-Agent": agent, "Connection": "close", **more})
            connection.sendall(text)
            return len(text), rest(connection)

    def too_large(answer):
        assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]
        assert b"<Code>RequestHeaderSectionTooLarge</Code>" in answer and b"<MaxSizeAllowed>8192</MaxSizeAllowed>" in answer, answer

    wait_for(lambda: get("good")[1].startswith(b"HTTP/1.1 200 "), 5, "the policy")
    room = 8192 - get("")[0]
    for padding in (0, 255, 256, 257, 1000, 1023, 1024, 2047, 2048, 2049, 4096, 5000, room - 4):
        for agent in ("x" * padding + "evil", "evil" + "x" * padding, "x" * (padding // 2) + "evil" + "x" * (padding - padding // 2)):
            length, answer = get(agent)
            assert length <= 8192 and answer.startswith(b"HTTP/1.1 403 "), (padding, answer[:200])
    assert get("x" * room)[1].startswith(b"HTTP/1.1 200 ")
    for padding in (room + 1, room + 2, room + 3, room + 4, 9000, 16_384, 32_768, 65_536, 300_000):
        too_large(get("x" * padding + "evil")[1])
    too_large(get("x", **{f"x-amz-meta-{i}": "v" * 40 for i in range(180)})[1])
    too_large(get("x", **{f"a{i}": "" for i in range(250)})[1])
    too_large(raw_answer(cluster, b"GET /" + b"p" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n"))
    too_large(raw_answer(cluster, b"p" * 9000))
    answer = raw.send(cluster.endpoint, "PUT", f"/{BUCKET}/k", {k: v.decode() for k, v in sign(
        cluster.env, "PUT", f"/{BUCKET}/k", [], {"host": f"127.0.0.1:{cluster.port}".encode(), "x-amz-meta-a": b"v" * 2048}, b"").items() if k != "host"}, b"")
    assert answer.status == 400 and answer.code() == "MetadataTooLarge", answer.text
    s3.delete_bucket_policy(Bucket=BUCKET)


def raw_answer(cluster, text, source="127.0.0.1"):
    with connect(cluster, source) as connection:
        connection.sendall(text)
        return rest(connection)


def test_no_control_character_comes_back(cluster, s3):
    """Through every door: none is kept, and none stands in what comes back."""
    host = f"127.0.0.1:{cluster.port}".encode()
    for byte in (0x00, 0x01, 0x07, 0x0b, 0x1b, 0x7f):
        bad = b"a" + bytes([byte]) + b"b"
        for name in (b"x-amz-meta-a", b"content-type", b"cache-control", b"content-disposition", b"x-amz-tagging", b"x-amz-website-redirect-location",
                     b"x-amz-server-side-encryption-aws-kms-key-id", b"origin", b"range"):
            text = b"PUT /" + BUCKET.encode() + b"/bad HTTP/1.1\r\nHost: " + host + b"\r\n" + name + b": " + bad + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            clean(raw_answer(cluster, text))
        for override in ("content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires"):
            answer = raw_answer(cluster, signed_head(cluster, "GET", f"/{BUCKET}/victim", [(f"response-{override}".encode(), bad)])
                                .replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            clean(answer)
        for target in (f"/{BUCKET}/%{byte:02x}", f"/{BUCKET}?prefix=%{byte:02x}", f"/%{byte:02x}", f"/{BUCKET}?uploadId=%{byte:02x}", f"/{BUCKET}/k?versionId=%{byte:02x}"):
            for method in ("GET", "PUT", "DELETE", "OPTIONS"):
                clean(raw_answer(cluster, f"{method} {target} HTTP/1.1\r\nHost: {host.decode()}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()))
        boundary = {"Content-Type": "multipart/form-data; boundary=b"}
        for field in ("success_action_redirect", "x-amz-meta-a", "Content-Type", "key", "success_action_status"):
            body = b"".join(b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value) for name, value in
                            {**{"key": b"k", "acl": b"private"}, **{field: b"http://a/" + bad}}.items())
            body += b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n'
            clean(raw_answer(cluster, head(cluster, "POST", f"/{BUCKET}", **boundary, **{"Content-Length": len(body), "Connection": "close"}) + body))
    for text in (b"GET / HTTP/1.1\r\nHost: a<b\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\xffb\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"):
        assert raw_answer(cluster, text).startswith(b"HTTP/1.1 400 ")


def clean(answer):
    start, _, body = answer.partition(b"\r\n\r\n")
    assert start.startswith(b"HTTP/1.1 "), answer
    for line in start.split(b"\r\n"):
        assert not any(byte < 0x20 or byte == 0x7f for byte in line), answer
    if b"<?xml" in body:
        assert not any(byte < 0x20 and byte not in b"\t\r\n" for byte in body), answer


def proxy_header(address, family=0x11, command=0x21):
    rest_of = socket.inet_aton(address) + socket.inet_aton("10.0.0.1") + struct.pack(">HH", 55555, 443)
    return b"\r\n\r\n\x00\r\nQUIT\n" + bytes([command, family]) + struct.pack(">H", len(rest_of)) + rest_of


def test_nobody_says_for_himself_who_he_is(cluster, s3):
    s3.put_object(Bucket=BUCKET, Key="inside", Body=b"inside")
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/inside",
         "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/inside",
         "Condition": {"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:UserAgent": "tls"}}}]}))
    ask = head(cluster, "GET", f"/{BUCKET}/inside", Connection="close")

    def status(text, source="127.0.0.1"):
        return raw_answer(cluster, text, source)[9:12].decode()

    def forwarded(source, agent="a", **fields):
        return status(head(cluster, "GET", f"/{BUCKET}/inside", Connection="close", **{"User-Agent": agent, **{k.replace("_", "-"): v for k, v in fields.items()}}), source)

    wait_for(lambda: status(proxy_header("203.0.113.7") + ask, "127.0.0.2") == "200", 5, "the policy")
    # PROXY protocol: from its network alone, and there always.
    assert status(proxy_header("198.51.100.1") + ask, "127.0.0.2") == "403"
    for source in ("127.0.0.1", "127.0.0.3"):
        assert status(proxy_header("203.0.113.7") + ask, source) == "400"
    assert status(ask, "127.0.0.2") == "400"
    assert status(b"PROXY TCP4 203.0.113.7 10.0.0.1 1 2\r\n" + ask, "127.0.0.2") == "400"
    assert status(proxy_header("203.0.113.7", family=0x12) + ask, "127.0.0.2") == "400"
    assert forwarded("127.0.0.2", X_Forwarded_For="203.0.113.7") == "400"
    # Forwarded fields: from the trusted network alone, and the right-most address alone.
    assert forwarded("127.0.0.1", X_Forwarded_For="203.0.113.7") == "403"
    assert forwarded("127.0.0.3", X_Forwarded_For="203.0.113.7") == "200"
    assert forwarded("127.0.0.3", X_Forwarded_For="203.0.113.7, 198.51.100.1") == "403"
    assert forwarded("127.0.0.3", X_Forwarded_For="198.51.100.1, 203.0.113.7, 127.0.0.3") == "200"
    assert forwarded("127.0.0.3", X_Forwarded_For="203.0.113.7, nonsense") == "400"
    assert forwarded("127.0.0.3", Forwarded="for=203.0.113.7", X_Real_IP="203.0.113.7") == "403"
    assert forwarded("127.0.0.3", "tls", X_Forwarded_For="203.0.113.7") == "403"
    assert forwarded("127.0.0.3", "tls", X_Forwarded_For="203.0.113.7", X_Forwarded_Proto="https") == "200"
    assert forwarded("127.0.0.3", "tls", X_Forwarded_For="203.0.113.7", X_Forwarded_Proto="https,http") == "400"
    s3.delete_bucket_policy(Bucket=BUCKET)


def test_the_log_says_who_and_is_bounded(cluster, s3):
    s3.get_object(Bucket=BUCKET, Key="victim")
    long = head(cluster, "GET", f"/{BUCKET}/{'%01' * 1000}" + "k" * 500, **{"User-Agent": "agent-of-the-attacker" + "u" * 3000, "Connection": "close",
                "Authorization": "AWS4-HMAC-SHA256 Credential=" + "K" * 900 + "/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"})
    raw_answer(cluster, long)
    announced = head(cluster, "PUT", f"/{BUCKET}/announced", **{"Content-Length": 9 * 10 ** 18, "User-Agent": "announcer"})
    before = sum(value for _, value in cluster.samples("rondel_request_bytes_total"))
    with connect(cluster) as connection:
        connection.sendall(announced + b"12345")
        assert connection.recv(65536).startswith(b"HTTP/1.1 403 ")

    found = cluster.requests_logged
    wait_for(lambda: found("agent-of-the-attacker") and found("announcer"), 10, "the lines")
    for line in cluster.log_lines():
        assert len(line.encode(errors="surrogateescape")) < 8192, line[:300]
    hostile = found("agent-of-the-attacker")[0]
    assert hostile["path"].endswith(" more bytes]") and len(hostile["path"]) < 1100
    assert hostile["user_agent"].endswith(" more bytes]") and len(hostile["user_agent"]) < 300
    assert hostile["authentication"] == "v4-header" and hostile["access_key_id"].startswith("KKK") and "account" not in hostile
    assert hostile["tls"] == "none" and hostile["peer"] == "127.0.0.1" and hostile["status"] >= 400
    good = [line for line in found('"operation":"GetObject"') if line["status"] == 200 and line.get("account")][-1]
    assert good["access_key_id"] == cluster.env["AWS_ACCESS_KEY_ID"] and good["authentication"] == "v4-header"
    assert "boto3" in good["user_agent"].lower() and good["bytes_out"] == len(BODY)
    denied = [line for line in found('"error":"AccessDenied"') if line["operation"] == "GetObject"]
    assert denied and all(line["reason"] and line["authentication"] == "none" for line in denied)
    assert found("announcer")[0]["bytes_in"] < 1000
    assert sum(value for _, value in cluster.samples("rondel_request_bytes_total")) < before + 1_000_000
