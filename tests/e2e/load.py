"""Writers that remember what was acknowledged, and readers that compare. Used by the tests that break things."""
import hashlib
import random
import threading
import time

from botocore.exceptions import BotoCoreError, ClientError

from cluster import wait_for


class History:
    """Per key: digests that a reader may find, None for no object. An unanswered request may or may not have happened."""

    def __init__(self):
        self.lock = threading.Lock()
        self.allowed = {}
        self.begun = {}
        self.acknowledged = 0
        self.failed = 0
        self.failed_of = {}   # Thread: how many of its requests.

    def begin(self, key, digest):
        with self.lock:
            self.allowed.setdefault(key, {None}).add(digest)
            self.begun.setdefault(key, []).append(digest)

    def acknowledge(self, key, digest):
        with self.lock:
            self.allowed[key] = {digest}
            self.acknowledged += 1

    def look(self, key):
        """What a read that starts now may find, but for what is begun meanwhile: `begun[key]` from that place on."""
        with self.lock:
            return set(self.allowed[key]), len(self.begun[key])

    def fail(self, thread):
        with self.lock:
            self.failed += 1
            self.failed_of[thread] = self.failed_of.get(thread, 0) + 1

    def acknowledged_keys(self):
        with self.lock:
            return [key for key, digests in self.allowed.items() if None not in digests]


class Writers:
    """Threads that PUT objects of mixed sizes; each key belongs to one thread, so that the order of its writes is known. `deletes`: the
    share of requests that delete instead."""

    def __init__(self, make_client, bucket, threads=4, sizes=(0, 100, 4096, 70_000, 400_000), keys=40, overwrite=True, deletes=0.0):
        self.history = History()
        self.deletes = deletes
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
            body = None if dice.random() < self.deletes else dice.randbytes(dice.choice(self.sizes))
            digest = None if body is None else hashlib.sha256(body).hexdigest()
            self.history.begin(key, digest)
            began = time.monotonic()
            try:
                if body is None:
                    client.delete_object(Bucket=self.bucket, Key=key)
                else:
                    client.put_object(Bucket=self.bucket, Key=key, Body=body)
                self.history.acknowledge(key, digest)
            except (ClientError, BotoCoreError, OSError):
                self.history.fail(number)
                time.sleep(0.05)
            self.longest = max(self.longest, time.monotonic() - began)

    def wait_until_all_fail(self):
        """Two requests of each thread have failed since: what was under way before is over, and was told."""
        before = dict(self.history.failed_of)
        wait_for(lambda: all(self.history.failed_of.get(number, 0) >= before.get(number, 0) + 2 for number in range(len(self.threads))), 30,
                 "every writer to be refused")

    def wait_for_more(self, count):
        enough = self.history.acknowledged + count
        wait_for(lambda: self.history.acknowledged >= enough, 60, f"{count} more requests to be acknowledged")

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        return self.history


class Readers:
    """Threads that read keys of a history while it is written; `wrong` names every answer that the history does not allow."""

    def __init__(self, make_client, bucket, history, threads=2):
        self.history = history
        self.bucket = bucket
        self.make_client = make_client
        self.done = 0
        self.failed = 0
        self.longest = 0.0
        self.wrong = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self):
        client = self.make_client()
        while not self.stopping.is_set():
            with self.history.lock:
                keys = list(self.history.allowed)
            if not keys:
                time.sleep(0.05)
                continue
            key = random.choice(keys)
            before, place = self.history.look(key)
            began = time.monotonic()
            try:
                found = hashlib.sha256(client.get_object(Bucket=self.bucket, Key=key)["Body"].read()).hexdigest()
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchKey":
                    self.failed += 1
                    time.sleep(0.05)
                    continue
                found = None
            except (BotoCoreError, OSError):
                self.failed += 1
                time.sleep(0.05)
                continue
            self.longest = max(self.longest, time.monotonic() - began)
            self.done += 1
            with self.history.lock:
                since = self.history.begun[key][place:]
            if found not in before and found not in since:
                self.wrong.append(f"{key}: read {found}, allowed {before} and {since}")

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def check(client, bucket, history):
    """Every key reads back as one of the versions its history allows. Returns how many objects were compared."""
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
