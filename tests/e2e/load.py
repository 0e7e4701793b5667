"""A writer that remembers what was acknowledged, and a reader that compares. Used by the tests that break things."""
import hashlib
import random
import threading
import time

from botocore.exceptions import BotoCoreError, ClientError


class History:
    """Per key: digests that a reader may find. An unanswered PUT may or may not have happened."""

    def __init__(self):
        self.lock = threading.Lock()
        self.allowed = {}
        self.acknowledged = 0
        self.failed = 0

    def begin(self, key, digest):
        with self.lock:
            self.allowed.setdefault(key, set()).add(digest)

    def acknowledge(self, key, digest):
        with self.lock:
            self.allowed[key] = {digest}
            self.acknowledged += 1

    def fail(self):
        with self.lock:
            self.failed += 1

    def acknowledged_keys(self):
        with self.lock:
            return [key for key, digests in self.allowed.items() if None not in digests]


class Writers:
    """Threads that PUT objects of mixed sizes; each key belongs to one thread, so that the order of its writes is known."""

    def __init__(self, make_client, bucket, threads=4, sizes=(0, 100, 4096, 70_000, 400_000), keys=40, overwrite=True):
        self.history = History()
        self.longest = 0.0
        self.stopping = threading.Event()
        self.bucket = bucket
        self.make_client = make_client
        self.sizes = sizes
        self.keys = keys
        self.overwrite = overwrite
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True) for number in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        client = self.make_client()
        dice = random.Random(number)
        count = 0
        while not self.stopping.is_set():
            count += 1
            key = f"t{number}/{dice.randrange(self.keys) if self.overwrite else count}"
            body = dice.randbytes(dice.choice(self.sizes))
            digest = hashlib.sha256(body).hexdigest()
            with self.history.lock:
                if key not in self.history.allowed:
                    self.history.allowed[key] = {None}
            self.history.begin(key, digest)
            began = time.monotonic()
            try:
                client.put_object(Bucket=self.bucket, Key=key, Body=body)
                self.history.acknowledge(key, digest)
            except (ClientError, BotoCoreError, OSError):
                self.history.fail()
                time.sleep(0.05)
            self.longest = max(self.longest, time.monotonic() - began)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=120)
        return self.history


def check(client, bucket, history):
    """Every key reads back as one of the versions its history allows. Returns how many were checked."""
    checked = 0
    for key, digests in list(history.allowed.items()):
        try:
            body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            assert code == "NoSuchKey" and None in digests, f"{key}: {code}, acknowledged before"
            continue
        assert hashlib.sha256(body).hexdigest() in digests, f"{key}: other bytes than were acknowledged"
        checked += 1
    return checked
