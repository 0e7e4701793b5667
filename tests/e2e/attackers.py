"""What hostile clients do: pieces shared by the short attacks (test_hostile_*.py) and the long ones (tests/hostile).

An attacker works on `cluster.attacker`, the environment of an account that `make_attacker` has made."""
import collections
import contextlib
import datetime
import json
import selectors
import socket
import struct
import subprocess
import threading
import time

import signing
from database import PROGRAMS

MIB = 1 << 20
FORM = (b"POST /attackers HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n")


def make_attacker(cluster, name="attacker"):
    """An account of its own; its environment is the answer, and that of the first one `cluster.attacker`."""
    env = {**cluster.env, "AWS_ACCESS_KEY_ID": name.upper(), "AWS_SECRET_ACCESS_KEY": name + "-secret"}
    made = cluster.cli("account", "create", "--name", name, "--access-key", env["AWS_ACCESS_KEY_ID"],
                       environment={"RONDEL_SECRET_KEY": env["AWS_SECRET_ACCESS_KEY"]})
    assert made.returncode == 0, made.stderr
    if name == "attacker":
        cluster.attacker = env
    return env


def signed(cluster, method, path, query=(), length=None, more=(), env=None):
    """The head of a request by the attacker; its body is what the signature is not about any more."""
    headers = {"host": f"127.0.0.1:{cluster.port}".encode(), **dict(more)}
    fields = signing.sign(env or cluster.attacker, method, path, list(query), headers)
    target = signing.encode_path(path) + ("?" + signing.encode_query(query) if query else "")
    lines = [f"{method} {target} HTTP/1.1".encode()]
    lines += [name.encode() + b": " + value for name, value in fields.items()]
    if length is not None:
        lines.append(b"content-length: %d" % length)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def strangers_document(path, method="POST"):
    """The head of a document that nobody signed."""
    return (f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==\r\n"
            "Content-Length: 8000000\r\n\r\n").encode()


def connect(cluster, receive=None, source=None):
    peer = socket.socket()
    if receive:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    if source:
        peer.bind((source, 0))
    peer.settimeout(300)
    peer.connect(("127.0.0.1", cluster.port))
    return peer


@contextlib.contextmanager
def hanging(cluster, count, head, begin=b"x", receive=None):
    """Connections that have sent a head and the begin of a body, and say no more."""
    sockets = []
    try:
        for _ in range(count):
            sockets.append(connect(cluster, receive))
            sockets[-1].sendall(head + begin)
        yield sockets
    finally:
        for peer in sockets:
            peer.close()


DEAF_SECONDS = 45
AGAIN_A_SECOND = 100   # Of a crowd: who hangs is no flood.


class Crowd:
    """As `hanging`, for as long as one likes: who is answered or cut comes again, `again` of them a second at most.

    `head` is bytes, or makes them (a signature ages). `drip` is sent by each every `beat` seconds. `sources` are the
    addresses it comes from in turn. Unread answers stay unread with `deaf`."""

    def __init__(self, cluster, count, head, begin=b"x", drip=b"", beat=1.0, receive=None, sources=(None,), deaf=False,
                 again=AGAIN_A_SECOND):
        self.cluster, self.count, self.head, self.begin = cluster, count, head, begin
        self.drip, self.beat, self.receive, self.sources, self.deaf = drip, beat, receive, sources, deaf
        self.again, self.begun = again, time.monotonic()
        self.opened, self.cut, self.statuses = 0, 0, collections.Counter()
        self.cut_at_once, self.peers, self.done = 0, {}, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join(timeout=300)
        for peer in self.peers:
            peer.close()

    def got(self):
        answers = ", ".join(f"{n} x {status}" for status, n in sorted(self.statuses.items()))
        return f"{len(self.peers)} of {self.opened} open, {answers or 'no answer'}, {self.cut} cut"

    def _open(self, selector):
        try:
            peer = connect(self.cluster, self.receive, self.sources[self.opened % len(self.sources)])
            peer.settimeout(0.5)
            peer.sendall((self.head() if callable(self.head) else self.head) + self.begin)
            peer.setblocking(False)
        except OSError:
            self.cut += 1
            self.cut_at_once += 1
            return False
        self.opened += 1
        self.peers[peer] = time.monotonic()
        if not self.deaf:
            selector.register(peer, selectors.EVENT_READ)
        return True

    def _heard(self, selector, peer):
        try:
            text = peer.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            text = b""
        if text.startswith(b"HTTP/1.1 "):
            self.statuses[text[9:12].decode()] += 1
        else:
            self.cut += not text
        if not text or b" 100 " not in text[:13]:
            self._leave(selector, peer)

    def _leave(self, selector, peer):
        if not self.deaf:
            selector.unregister(peer)
        self.peers.pop(peer, None)
        peer.close()

    def _run(self):
        with selectors.DefaultSelector() as selector:
            while not self.done.is_set():
                # Some at a time, so that those who are open are heard between.
                for _ in range(min(100, self._wanted())):
                    if self.done.is_set() or not self._open(selector):
                        break
                for key, _ in selector.select(0.02):
                    self._heard(selector, key.fileobj)
                self._send_drips(selector)
                self._renew(selector)
                self.done.wait(0.02)

    def _wanted(self):
        """How many are to come now: everybody once, and who was sent away again after a while."""
        tries = self.opened + self.cut_at_once
        return min(self.count - len(self.peers), int(self.count + self.again * (time.monotonic() - self.begun)) - tries)

    def _renew(self, selector):
        """Who does not read does not see that he was cut: he comes again after a while."""
        for peer, opened in list(self.peers.items()) if self.deaf else ():
            if time.monotonic() - opened > DEAF_SECONDS:
                self._leave(selector, peer)

    def _send_drips(self, selector):
        if not self.drip:
            return
        now = time.monotonic()
        for peer, last in list(self.peers.items()):
            if now - last < self.beat:
                continue
            self.peers[peer] = now
            try:
                peer.send(self.drip)
            except BlockingIOError:
                pass
            except OSError:
                self.cut += 1
                self._leave(selector, peer)


class Busy:
    """Threads that do one thing again and again. What it answers (a status, or None) is counted; `done` stops them."""

    def __init__(self, work, threads):
        self.outcomes, self.done, self.lock = collections.Counter(), threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(work,), daemon=True) for _ in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join(timeout=300)

    def got(self):
        return ", ".join(f"{n} x {what}" for what, n in sorted(self.outcomes.items(), key=str)) or "no answer"

    def once(self, work):
        try:
            outcome = work()
        except Exception as error:   # Whatever a client makes of it: it is the attacker's.
            outcome = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
            self.done.wait(0.01)
        with self.lock:
            self.outcomes[outcome] += 1

    def _run(self, work):
        while not self.done.is_set():
            self.once(work)


def side_by_side(work, count):
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# What is made up so that matching it is work.

def form_of_file_names():
    """A form whose key is full of ${filename}, and its file name long."""
    key = b"${filename}" * 1_800
    return (b"--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n" + key + b"\r\n--b\r\n"
            b"Content-Disposition: form-data; name=\"file\"; filename=\"" + b"f" * 70_000 + b"\"\r\n\r\nx\r\n--b--\r\n")


PATTERNS = [   # A pattern, and a text made for it.
    ("*" + "a" * 3_500 + "?b", "a" * 7_000),
    ("*" + "?" * 3_500 + "b", "a" * 7_000),
    ("*" + "aaaaaaa?b*" * 300 + "c", "aaaaaaaab" * 770),
]


def statement(effect, actions, resources, condition=None):
    return {"Effect": effect, "Principal": "*", "Action": actions, "Resource": resources} | ({"Condition": condition} if condition else {})


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def large_delete_policy(bucket):
    """Strangers may delete, after 300 patterns for each key were looked at."""
    return policy(statement("Allow", "s3:DeleteObject", f"arn:aws:s3:::{bucket}/*",
                            {"StringNotLike": {"aws:UserAgent": ["*" + "a" * 3_000 + "?b"]}}),
                  statement("Deny", "s3:DeleteObject", [f"arn:aws:s3:::{bucket}/*a?a*{i}" for i in range(300)]))


def document_that_stops(cluster):
    """The head of a document that is signed, and longer than what comes of it."""
    return signed(cluster, "POST", "/attackers", [(b"delete", b"")], length=8 * MIB, more={"content-md5": b"1B2M2Y8AsgTpgAmY7PhCfg=="})


THOUSAND_KEYS = [{"Key": f"{i}-" + "a" * 1_000} for i in range(1_000)]
CORS_OF_MANY_NAMES = {"CORSRules": [{"AllowedOrigins": ["http://*"], "AllowedMethods": ["GET"],
                                     "AllowedHeaders": [f"zz{i}-{k}*" for k in range(12)] + ["x-*"]} for i in range(99)]}


def preflight_fields(names):
    return {"Origin": "http://a", "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": ",".join(names)}


def unknown_key_fields(number, length=110):
    """A request under a key that nobody has."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    credential = f"{'K' * length}{number}/{now[:8]}/us-east-1/s3/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, "
                             "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=00",
            "x-amz-date": now, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}


# What is held in the database.

class Hold:
    """A transaction in psql that has taken locks, until it is let go."""

    def __init__(self, cluster, lock):
        self.psql = subprocess.Popen([str(PROGRAMS / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", cluster.dsn()],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.psql.stdin.write(f"begin;\n{lock};\nselect 'held';\n")
        while (line := self.psql.stdout.readline()).strip() != "held":
            assert line, "psql took no lock"

    def let_go(self, by="rollback"):
        self.psql.communicate(by + ";\n", timeout=300)
        assert self.psql.returncode == 0


HOLDS = {   # The lock, and the key that waits for it.
    "head": ("select from objects where bucket_id = {attacked} and key = 'held' for update", "held"),
    "bucket": ("select from buckets where id = {attacked} for update", "any"),
    "insert": ("insert into objects (bucket_id, key, version, is_null, delete_marker, size, etag, owner_account)"
               " values ({attacked}, 'new', '\\x00', true, false, 0, '', '')", "new"),
}


def make_rows(cluster, bucket_id, prefix, count):
    """Objects without bytes, for listings: their rows alone."""
    cluster.sql("insert into objects (bucket_id, key, version, is_null, delete_marker, size, etag, owner_account)"
                f" select {bucket_id}, convert_to('{prefix}' || n, 'UTF8'), '\\x00000000000000000000000000000000', true, false,"
                f" 0, 'e', 'o' from generate_series(1, {count}) n")


# A peer of a storage node.

def frame(kind, body=b"", flags=0, stream=0):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def field(name, value):
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def gets(disk, blob, count, piece=256 << 10):
    """Frames of the Exchange stream, in one gRPC message: each asks for a piece."""
    frames = b""
    for request in range(1, count + 1):
        meta = disk + blob + struct.pack("<QQ", 0, piece)
        frames += struct.pack("<BBHIIIQQ", 6, 0, 0, len(meta), 0, 0, request, 0) + meta
    return b"\x00" + struct.pack(">I", len(frames)) + frames


class DeafStream:
    """One Exchange stream on a connection of its own, whose peer gives no window for answers."""

    def __init__(self, address, message):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=300)
        head = (field(b":method", b"POST") + field(b":scheme", b"http") + field(b":authority", b"node")
                + field(b":path", b"/rondel.storage.v1.Storage/Exchange") + field(b"content-type", b"application/grpc")
                + field(b"te", b"trailers"))
        settings = struct.pack(">HI", 4, 0)   # No window of a stream.
        data = b"".join(frame(0, message[at:at + 16384], stream=1) for at in range(0, len(message), 16384))
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, settings) + frame(1, head, 4, 1) + data)

    def close(self):
        self.socket.close()
