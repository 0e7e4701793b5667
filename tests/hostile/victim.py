"""A client who does nobody any harm: PUT, GET and LIST of small objects and of 1 MiB, from a process of his own."""
import multiprocessing
import os
import random
import threading
import time

import boto3
from botocore.config import Config

BUCKET = "victims"
SMALL, LARGE = 5_000, 1 << 20


def client_of(endpoint, env, threads=8):
    return boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
                        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"],
                        config=Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=30,
                                      signature_version="s3v4", max_pool_connections=threads))


class Report:
    """What a victim saw: how many requests succeeded, how long each took, and what went wrong."""

    def __init__(self, seconds, samples, errors):
        self.errors = errors
        self.rate = (len(samples) - len(errors)) / seconds
        took = sorted(samples) or [float("inf")]
        self.p99 = took[min(len(took) - 1, len(took) * 99 // 100)]
        self.slowest = took[-1]

    def text(self):
        return f"{self.rate:6.0f}/s p99 {self.p99 * 1000:6.0f} ms, slowest {self.slowest * 1000:6.0f} ms"


class Victim:
    """Works while it is told to. Started before its parent has threads; ended with `close`."""

    def __init__(self, threads=3):
        here, there = multiprocessing.get_context("fork").Pipe()
        self.pipe = here
        self.process = multiprocessing.get_context("fork").Process(target=serve, args=(there, threads), daemon=True)
        self.process.start()

    def work(self, endpoint, env, seconds):
        """A Report. Returns when the last answer is there, or its time-out."""
        self.begin(endpoint, env, seconds)
        return self.end()

    def begin(self, endpoint, env, seconds):
        self.pipe.send((endpoint, env, seconds))

    def end(self):
        return Report(*self.pipe.recv())

    def close(self):
        self.pipe.send(None)
        self.process.join(timeout=60)


def serve(pipe, threads):
    while (order := pipe.recv()) is not None:
        pipe.send(run(*order, threads))


def run(endpoint, env, seconds, threads):
    samples, errors, lock = [], [], threading.Lock()
    client = client_of(endpoint, env, threads)
    begin = time.monotonic()

    def one(number):
        dice = random.Random(os.getpid() + number)
        small, large = dice.randbytes(SMALL), dice.randbytes(LARGE)
        steps = [
            lambda: client.put_object(Bucket=BUCKET, Key=f"{number}/small", Body=small),
            lambda: same(client.get_object(Bucket=BUCKET, Key=f"{number}/small"), small),
            lambda: listed(client.list_objects_v2(Bucket=BUCKET, Prefix=f"{number}/"), f"{number}/small"),
            lambda: client.put_object(Bucket=BUCKET, Key=f"{number}/large", Body=large),
            lambda: same(client.get_object(Bucket=BUCKET, Key=f"{number}/large"), large),
            lambda: client.list_objects_v2(Bucket=BUCKET, Delimiter="/"),
        ]
        while time.monotonic() - begin < seconds:
            for step in steps:
                started = time.monotonic()
                try:
                    step()
                except Exception as error:   # Whatever it is, a victim saw it.
                    with lock:
                        errors.append(f"{type(error).__name__}: {error}"[:160])
                with lock:
                    samples.append(time.monotonic() - started)
                if time.monotonic() - begin >= seconds:
                    break

    workers = [threading.Thread(target=one, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return max(time.monotonic() - begin, seconds), samples, errors


def same(answer, body):
    if answer["Body"].read() != body:
        raise AssertionError("other bytes than were put")


def listed(answer, key):
    if key not in [entry["Key"] for entry in answer.get("Contents", [])]:
        raise AssertionError("what was put is not listed")
