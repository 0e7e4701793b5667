"""What is no attack: how accounts share a gateway that is full, and what a connection costs that says little."""
import contextlib
import json
import os
import signal
import statistics
import subprocess
import tempfile
import time

import attacks
from attackers import FORM, connect, document_that_stops, make_attacker, signed
from cluster import BUILD, ROOT, is_running, running, wait_for

# In flight; 0.8 of it is where shares begin to bind.
BOUND = 100
ALONE, MANY, FEW = 90, 300, 90
ALONE_MIN, EACH_MIN = 0.97, 0.45


def bench(cluster, env, bucket, connections, seconds, *words, operation="get"):
    """The load generator, begun: `rate_of` waits for it."""
    handle, file = tempfile.mkstemp(prefix="rondel-fairness-")
    os.close(handle)
    command = [str(BUILD / "bin" / "rondel-bench"), operation, "--bucket", bucket, "--connections", str(connections), "--keys", "200",
               "--duration", str(seconds), "--warmup", "0.5", "--json", file, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env={**os.environ, "AWS_ENDPOINT_URL": cluster.endpoint, **{
                                   name: env[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}})
    return process, file


def rate_of(running_bench):
    """Requests that succeeded, a second."""
    process, file = running_bench
    text = process.communicate()[0]
    assert os.path.exists(file) and os.path.getsize(file), text[-500:]
    with open(file) as result:
        found = json.load(result)
    os.unlink(file)
    return found["per_s"]


def fairness(arguments, _):
    """One account alone has all of a gateway, with shares as without; two that compete have half each, however many connections
    one of them opens. Rounds alternate; medians count."""
    if not (BUILD / "bin" / "rondel-bench").exists():
        return [f"fairness: {BUILD}/bin/rondel-bench is missing"]
    seconds = max(1.0, arguments.seconds / 5)
    ratios, shares, sums = [], [], []
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(running("of-one", options=[f"gateway.requests_max={BOUND}"]))
        free = stack.enter_context(running("of-one", options=["gateway.requests_max=100000"]))
        other = make_attacker(bound, "other")
        for cluster, env, bucket in ((bound, bound.env, "of-one"), (free, free.env, "of-one"), (bound, other, "of-other")):
            rate_of(bench(cluster, env, bucket, 8, 0.5, "--preload", *(["--create-bucket"] if bucket == "of-other" else [])))
        print("\nfairness: GET of 200 keys; rate without shares, alone with them, and of two that compete", flush=True)
        for number in range(arguments.rounds):
            # What else the machine does comes and goes: each is measured before and after the other.
            alone = {free: 0.0, bound: 0.0}
            for cluster in ([free, bound, bound, free] if number % 2 else [bound, free, free, bound]):
                alone[cluster] += rate_of(bench(cluster, cluster.env, "of-one", ALONE, seconds / 2)) / 2
            both = [bench(bound, bound.env, "of-one", MANY, seconds), bench(bound, other, "of-other", FEW, seconds)]
            both = [rate_of(one) for one in both]
            ratios.append(alone[bound] / alone[free])
            shares.append(min(both) / sum(both))
            sums.append(sum(both) / alone[bound])
            print(f"  round {number + 1}: without shares {alone[free]:.0f}/s, alone {alone[bound]:.0f}/s ({ratios[-1]:.3f}); "
                  f"{MANY} connections {both[0]:.0f}/s, {FEW} connections {both[1]:.0f}/s", flush=True)
    alone, each = statistics.median(ratios), statistics.median(shares)
    print(f"  medians of {arguments.rounds}: alone {alone:.3f} (>= {ALONE_MIN}), the smaller of two {each:.3f} (>= {EACH_MIN}) of both; "
          f"both {statistics.median(sums):.2f} of one alone", flush=True)
    return ([f"fairness: one account alone reaches {alone:.3f} of the rate without shares"] if alone < ALONE_MIN else []) + \
        ([f"fairness: of two accounts one gets {each:.3f}"] if each < EACH_MIN else [])


# KiB that a connection may cost; 100 to 200 was what each of these did cost.
KIB_MAX = 40


def forms_of_little(cluster):
    """What each connection sends, and whether an answer is read first."""
    ask = signed(cluster, "GET", "/attackers/held")
    return {
        "idle": (2000, b"", False),
        "idle after a request": (2000, ask, True),
        "half a head": (2000, b"GET /attackers/held HTT", False),
        "a form of 60 bytes": (400, FORM + b"--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk", False),
        "an upload of 100 bytes of 1 GiB": (400, signed(cluster, "PUT", "/attackers/slow", length=1 << 30) + b"x" * 100, False),
        "a document of 100 bytes of 8 MiB": (400, document_that_stops(cluster) + b"<Delete>" + b" " * 92, False),
    }


def memory_of_connections(arguments, tree_of):
    """KiB of the gateway for each connection: medians of rounds, each on a gateway that was just started, since what one round
    frees is there for the next."""
    builds = [("before", tree_of(arguments.base_bin), arguments.base_bin)] if arguments.base_bin else []
    builds.append(("after" if builds else "this", ROOT, BUILD))
    failures = []
    print("\nmemory: KiB of the gateway for each connection", flush=True)
    for label, tree, build in builds:
        with running("victims", tree=tree, build=build) as cluster:
            attacks.prepare(cluster)
            for name, (count, text, answered) in forms_of_little(cluster).items():
                each = statistics.median(cost_of(cluster, count, text, answered) for _ in range(min(3, arguments.rounds)))
                print(f"  {label:6} {name:34} {count:5} connections {each:7.1f} KiB each", flush=True)
                if each > KIB_MAX and build is BUILD:
                    failures.append(f"memory: {name} costs {each:.0f} KiB, more than {KIB_MAX}")
    return failures


def cost_of(cluster, count, text, answered):
    """The growth of the gateway between the first tenth of the connections and the last of them, for each."""
    fresh_gateway(cluster)
    client = attacks.owner_of(cluster)
    for _ in range(20):   # Caches, connections to others.
        client.get_object(Bucket="attackers", Key="held")["Body"].read()
    peers = []

    def open_until(number):
        while len(peers) < number:
            peers.append(connect(cluster))
            peers[-1].sendall(text)
            if answered:
                peers[-1].recv(65536)
        settle(cluster)

    try:
        open_until(count // 10)
        before = attacks.memory(cluster, "gateway-1")
        open_until(count)
        stay = sum(1 for peer in peers if stays(peer))
        assert stay > count * 0.9, f"{count - stay} of {count} connections were refused"
        return (attacks.memory(cluster, "gateway-1") - before) * 1024 / (count - count // 10)
    finally:
        for peer in peers:
            peer.close()
        settle(cluster)


def fresh_gateway(cluster):
    """The gateway ends and is started again: its process."""
    pid = cluster.processes()["gateway-1"]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_running(pid), 20, "the gateway to end")
    started = cluster.up()
    assert started.returncode == 0, started.stdout + started.stderr
    return cluster.processes()["gateway-1"]


def settle(cluster):
    """Until the memory of the gateway stands still."""
    last, end = -1.0, time.monotonic() + 5
    while time.monotonic() < end:
        now = attacks.memory(cluster, "gateway-1")
        if abs(now - last) < 0.1:
            return
        last = now
        time.sleep(0.3)


def stays(peer):
    """Neither cut nor answered."""
    peer.setblocking(False)
    try:
        peer.recv(1)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        peer.setblocking(True)
