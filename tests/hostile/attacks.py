"""The attacks: each is a context in which an attacker (or several) is at work, and which says what it got.

`keeps` is the share of his calm rate that a victim keeps at least. Who hangs costs nothing but connections; who makes the
gateway work has his part of its processors, and those of the client that runs on the same machine; who floods has more of
them the more connections he opens."""
import collections
import contextlib
import random
import threading

import boto3
from botocore import UNSIGNED
from botocore.config import Config

import raw
from attackers import (CORS_OF_MANY_NAMES, FORM, HOLDS, MIB, PATTERNS, THOUSAND_KEYS, Busy, Crowd, DeafStream, Hold,
                       document_that_stops, form_of_file_names, gets, large_delete_policy, make_attacker, make_rows, policy, preflight_fields,
                       connect, signed, statement, strangers_document, unknown_key_fields)
from victim import client_of

HANGS, WORKS, FLOODS = 0.5, 0.25, 0.1
Attack = collections.namedtuple("Attack", "name what keeps context")
ATTACKS = []


def attack(what, keeps):
    def register(context):
        ATTACKS.append(Attack(context.__name__.replace("_", "-"), what, keeps, contextlib.contextmanager(context)))
        return context
    return register


def prepare(cluster):
    """What the attacker has before it begins: an account, a bucket, an object of 16 MiB."""
    make_attacker(cluster)
    owner = owner_of(cluster)
    owner.create_bucket(Bucket="attackers")
    owner.delete_public_access_block(Bucket="attackers")
    owner.put_object(Bucket="attackers", Key="large", Body=random.randbytes(16 * MIB))
    owner.put_object(Bucket="attackers", Key="held", Body=b"x")


def owner_of(cluster, threads=64):
    return client_of(cluster.endpoint, cluster.attacker, threads)


def stranger(cluster):
    return boto3.client("s3", endpoint_url=cluster.endpoint, region_name="us-east-1",
                        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}, read_timeout=60))


def bucket_ids(cluster):
    return {"attacked": cluster.sql("select id from buckets where name = 'attackers'")}


def upload(cluster, length, path="/attackers/slow", env=None):
    return lambda: signed(cluster, "PUT", path, length=length, env=env)


# Who sends little, and waits.

@attack("2048 forms of strangers, a byte of each", HANGS)
def forms(cluster):
    with Crowd(cluster, 2048, FORM, b"-") as crowd:
        yield crowd.got


@attack("3200 forms from 64 addresses, 50 of each", HANGS)
def forms_of_many_addresses(cluster):
    with Crowd(cluster, 3200, FORM, b"-", sources=[f"127.1.0.{k}" for k in range(1, 65)]) as crowd:
        yield crowd.got


@attack("2048 forms that send a byte each second", HANGS)
def forms_in_drops(cluster):
    with Crowd(cluster, 2048, FORM, b"-", drip=b"-") as crowd:
        yield crowd.got


@attack("3000 connections with half a head", HANGS)
def half_heads(cluster):
    with Crowd(cluster, 3000, b"GET /victims/small HTT", b"") as crowd:
        yield crowd.got


@attack("48 uploads of 1 GiB, a byte of each", HANGS)
def uploads_of_one_byte(cluster):
    with Crowd(cluster, 48, upload(cluster, 1 << 30)) as crowd:
        yield crowd.got


@attack("40 uploads of 1 GiB that stop after 1 MiB", HANGS)
def uploads_that_stop(cluster):
    with Crowd(cluster, 40, upload(cluster, 1 << 30), b"x" * (MIB + 1)) as crowd:
        yield crowd.got


@attack("250 uploads of 250 KB, a byte of each", HANGS)
def small_uploads(cluster):
    with Crowd(cluster, 250, upload(cluster, 250_000)) as crowd:
        yield crowd.got


@attack("2200 uploads of 1000 bytes, a byte of each", HANGS)
def many_uploads(cluster):
    with Crowd(cluster, 2200, upload(cluster, 1000)) as crowd:
        yield crowd.got


@attack("8 accounts with 300 uploads of one byte each", HANGS)
def uploads_of_many_accounts(cluster):
    with contextlib.ExitStack() as stack:
        envs = [make_attacker(cluster, f"attacker{k}") for k in range(8)]
        for k, env in enumerate(envs):
            client_of(cluster.endpoint, env).create_bucket(Bucket=f"attackers-{k}")
        crowds = [stack.enter_context(Crowd(cluster, 300, upload(cluster, 1 << 30, f"/attackers-{k}/slow", env))) for k, env in enumerate(envs)]
        yield lambda: "; ".join(crowd.got() for crowd in crowds[:2]) + "; ..."


@attack("150 documents of strangers for a victim's bucket", HANGS)
def documents_of_strangers(cluster):
    with Crowd(cluster, 150, strangers_document("/victims?delete"), b"<Delete>" + b" " * 200_000) as crowd:
        yield crowd.got


@attack("150 signed documents that stop after 200 KB", HANGS)
def documents_that_stop(cluster):
    with Crowd(cluster, 150, lambda: document_that_stops(cluster), b"<Delete>" + b" " * 200_000) as crowd:
        yield crowd.got


@attack("150 answers of 16 MiB that nobody reads", HANGS)
def unread_answers(cluster):
    with Crowd(cluster, 150, lambda: signed(cluster, "GET", "/attackers/large"), b"", receive=4096, deaf=True) as crowd:
        yield crowd.got


@attack("600 listings that nobody reads", HANGS)
def unread_listings(cluster):
    make_rows(cluster, bucket_ids(cluster)["attacked"], "l" * 900, 1000)
    query = [(b"list-type", b"2"), (b"prefix", b"l" * 900)]
    with Crowd(cluster, 600, lambda: signed(cluster, "GET", "/attackers", query), b"", receive=4096, deaf=True) as crowd:
        yield crowd.got


# Who makes up what is work to match.

@attack("4 clients with forms full of ${filename}", WORKS)
def file_names(cluster):
    form = form_of_file_names()
    fields = {"Content-Type": "multipart/form-data; boundary=b"}
    with Busy(lambda: raw.send(cluster.endpoint, "POST", "/attackers", fields, form).status, 4) as busy:
        yield busy.got


def patterns(number):
    def context(cluster):
        owner = owner_of(cluster)
        objects = "arn:aws:s3:::attackers/*"
        pattern, text = PATTERNS[number]
        owner.put_bucket_policy(Bucket="attackers", Policy=policy(
            statement("Allow", "s3:GetObject", objects),
            statement("Deny", "s3:GetObject", objects, {"StringLike": {"aws:UserAgent": [pattern]}})))
        with Busy(lambda: raw.send(cluster.endpoint, "GET", "/attackers/held", {"User-Agent": text}).status, 4) as busy:
            yield busy.got
        owner.delete_bucket_policy(Bucket="attackers")
    context.__name__ = f"patterns_{number + 1}"
    return context


for number in range(len(PATTERNS)):
    attack(f"4 clients under a pattern made for their user agent ({number + 1})", WORKS)(patterns(number))


@attack("4 clients with preflights of 1400 names", WORKS)
def preflights(cluster):
    owner_of(cluster).put_bucket_cors(Bucket="attackers", CORSConfiguration=CORS_OF_MANY_NAMES)
    fields = preflight_fields(["x-a"] * 1_400 + ["y"])
    with Busy(lambda: raw.send(cluster.endpoint, "OPTIONS", "/attackers/k", fields).status, 4) as busy:
        yield busy.got


@attack("4 strangers who delete 1000 keys under 300 patterns", WORKS)
def deletes_under_a_policy(cluster):
    owner = owner_of(cluster)
    owner.put_bucket_policy(Bucket="attackers", Policy=large_delete_policy("attackers"))
    nobody = stranger(cluster)

    def delete():
        answer = nobody.delete_objects(Bucket="attackers", Delete={"Objects": THOUSAND_KEYS})
        return "answered" if len(answer.get("Deleted", [])) + len(answer.get("Errors", [])) == 1000 else "short"

    with Busy(delete, 4) as busy:
        yield busy.got
    owner.delete_bucket_policy(Bucket="attackers")


@attack("4 clients with names and keys nobody has", WORKS)
def unknown_names(cluster):
    counter = iter(range(1 << 60))

    def ask():
        number = next(counter)
        if number % 2:
            return raw.send(cluster.endpoint, "GET", "/", unknown_key_fields(number, 5_000)).status
        return raw.send(cluster.endpoint, "OPTIONS", f"/{number}" + "n" * 6_000, preflight_fields(["a"])).status

    with Busy(ask, 4) as busy:
        yield busy.got


@attack("60 buckets with large rules, all listed at once", WORKS)
def buckets_with_large_settings(cluster):
    owner = owner_of(cluster)
    rules = [{"ID": f"{n}", "Filter": {"Prefix": f"{n:04}" + "p" * 900}, "Status": "Enabled", "Expiration": {"Days": 9000}} for n in range(1000)]
    for number in range(60):
        owner.create_bucket(Bucket=f"attackers-settings-{number}")

    def set_one(number=iter(range(1 << 30))):
        owner.put_bucket_lifecycle_configuration(Bucket=f"attackers-settings-{next(number) % 60}", LifecycleConfiguration={"Rules": rules})
        return "settings"

    with Busy(set_one, 2) as settings, Busy(lambda: owner.list_buckets() and "listed", 2) as listings:
        yield lambda: f"{settings.got()}, {listings.got()}"


@attack("4 clients with heads of 300 KB", WORKS)
def long_heads(cluster):
    text = b"GET /attackers/held HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 300_000

    def ask():
        with contextlib.closing(connect(cluster)) as peer:
            peer.sendall(text)
            return peer.recv(65536)[9:12].decode()

    with Busy(ask, 4) as busy:
        yield busy.got


# Who asks the database.

@attack("20 clients who list 20000 keys", WORKS)
def listings(cluster):
    make_rows(cluster, bucket_ids(cluster)["attacked"], "many/", 20_000)
    owner = owner_of(cluster)
    with Busy(lambda: owner.list_objects_v2(Bucket="attackers", Prefix="many/") and "listed", 20) as busy:
        yield busy.got


@attack("3 clients whose conditions are no text", WORKS)
def conditions_that_are_no_text(cluster):
    def put():
        head = signed(cluster, "PUT", "/attackers/bad", more={"if-none-match": b"\"\xff\""}, length=0)
        with contextlib.closing(connect(cluster)) as peer:
            peer.sendall(head)
            return peer.recv(65536)[9:12].decode()

    with Busy(put, 3) as busy:
        yield busy.got


@attack("64 writers of one key", WORKS)
def writers_of_one_key(cluster):
    owner = owner_of(cluster)
    with Busy(lambda: owner.put_object(Bucket="attackers", Key="hot", Body=b"x") and "stored", 64) as busy:
        yield busy.got


def held(kind):
    def context(cluster):
        lock, key = HOLDS[kind]
        hold = Hold(cluster, lock.format(**bucket_ids(cluster)))
        owner = owner_of(cluster)
        try:
            with Busy(lambda: owner.put_object(Bucket="attackers", Key=key, Body=b"y") and "stored", 12) as busy:
                yield busy.got
                hold.let_go()
                hold = None
        finally:
            if hold:
                hold.let_go()
    context.__name__ = f"held_{kind}"
    return context


for kind in HOLDS:
    attack(f"12 writers wait for a lock that is held ({kind})", HANGS)(held(kind))


@attack("a lock on all rows of nodes is held", HANGS)
def held_nodes(cluster):
    hold = Hold(cluster, "select count(*) from (select from nodes for update) n")
    try:
        yield lambda: "longer than a node goes without contact, with more than 10 s of --seconds"
    finally:
        hold.let_go()


@attack("8 clients who list 100000 uploads of one key, then one deletes the bucket", WORKS)
def uploads_by_the_hundred_thousand(cluster):
    owner = owner_of(cluster)
    owner.create_bucket(Bucket="attackers-uploads")
    number = cluster.sql("select id from buckets where name = 'attackers-uploads'")
    cluster.sql("insert into uploads (id, bucket_id, key, initiator_account, owner_account, checksum_type)"
                f" select decode(lpad(to_hex(n), 32, '0'), 'hex'), {number}, 'one', 'o', 'o', 1 from generate_series(1, 100000) n")
    real = owner.create_multipart_upload(Bucket="attackers-uploads", Key="one")["UploadId"]
    after = {"KeyMarker": "one", "UploadIdMarker": real}
    with Busy(lambda: owner.list_multipart_uploads(Bucket="attackers-uploads", **random.choice([{}, after])) and "listed", 8) as busy:
        timer = threading.Timer(4, lambda: busy.once(lambda: owner.delete_bucket(Bucket="attackers-uploads") and "deleted"))
        timer.start()
        yield busy.got
        timer.join()


# Who asks more than anybody, or from inside.

@attack("forms that come again as fast as they are refused", FLOODS)
def a_flood_of_forms(cluster):
    with Crowd(cluster, 2048, FORM, b"-", again=1 << 20) as crowd:
        yield crowd.got


@attack("16 clients who read as fast as they can", WORKS)
def a_flood_of_reads(cluster):
    env = cluster.attacker
    with Busy(lambda: flood(cluster, env), 16) as busy:
        yield busy.got


def flood(cluster, env):
    """Twenty requests on one connection, one after another."""
    with contextlib.closing(connect(cluster)) as peer:
        for _ in range(20):
            peer.sendall(signed(cluster, "GET", "/attackers/held", env=env))
            if not peer.recv(65536).startswith(b"HTTP/1.1 200"):
                return "refused"
    return "20 answered"


@attack("40 streams to each node that take no answer", HANGS)
def deaf_streams_to_nodes(cluster):
    nodes = [line.split("|") for line in cluster.sql("select address, d->>'id' from nodes, jsonb_array_elements(disks) d").splitlines()]
    blob = bytes.fromhex(cluster.sql("select encode(stream, 'hex') from objects where stream is not null order by size desc limit 1"))
    blob += bytes(16 - len(blob))
    deaf = []
    try:
        for address, disk in nodes:
            deaf += [DeafStream(address, gets(bytes.fromhex(disk), blob, 500)) for _ in range(40)]
        yield lambda: f"{len(deaf)} streams; nodes hold {sum(memory(cluster, name) for name in cluster.processes() if name.startswith('node')):.0f} MiB"
    finally:
        for stream in deaf:
            stream.close()


def memory(cluster, name):
    """Resident MiB of a process."""
    with open(f"/proc/{cluster.processes()[name]}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
