"""A Prometheus that goes by the rendered rules, and what it said when."""
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import render  # noqa: E402

# An hour of production is a minute of the drill.
DIVIDE = 60


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Watch:
    """Scrapes and evaluates every second, and looks four times a second at what fires. Times are of the steady clock."""

    def __init__(self, work, jobs):
        """`jobs`: name of a scrape job -> addresses."""
        self.port = free_port()
        self.spans = {}
        self.pending = set()
        self.lock = threading.Lock()
        self.gap_longest = 0.0
        folder = work / "prometheus"
        folder.mkdir()
        (folder / "rules.yaml").write_text(render.render(render.TEMPLATE.read_text(), DIVIDE))
        scrape = [{"job_name": job, "static_configs": [{"targets": targets}]} for job, targets in jobs.items()]
        (folder / "prometheus.yaml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yaml"], "scrape_configs": scrape}))
        self.log = open(folder / "log", "w")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log)
        self.ended = threading.Event()
        self.started_at = time.monotonic()
        self.looked_at = self.started_at
        self.thread = threading.Thread(target=self.look_on, daemon=True)
        self.thread.start()

    def stop(self):
        self.ended.set()
        self.thread.join()
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def look_on(self):
        begun = False
        while not self.ended.wait(0.25):
            try:
                alerts = self.ask("/api/v1/alerts")["alerts"]
            except (OSError, ValueError):
                continue
            now = time.monotonic()
            firing = {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}
            pending = {alert["labels"]["alertname"] for alert in alerts} - firing
            with self.lock:
                if not begun:
                    self.started_at = now
                    begun = True
                else:
                    self.gap_longest = max(self.gap_longest, now - self.looked_at)
                self.looked_at = now
                self.pending = pending
                for name in firing:
                    spans = self.spans.setdefault(name, [])
                    if not spans or spans[-1][1] is not None:
                        spans.append([now, None])
                for name, spans in self.spans.items():
                    if name not in firing and spans[-1][1] is None:
                        spans[-1][1] = now

    def silent_seconds(self, name):
        """How long the alert has not fired; 0 while it does."""
        with self.lock:
            spans = self.spans.get(name)
            if not spans:
                return self.looked_at - self.started_at
            return 0.0 if spans[-1][1] is None else self.looked_at - spans[-1][1]

    def fired_at(self, name, since):
        """When it began to fire after `since`, or None."""
        with self.lock:
            return next((began for began, _ in self.spans.get(name, []) if began >= since), None)

    def fires(self, name):
        with self.lock:
            spans = self.spans.get(name)
            return bool(spans) and spans[-1][1] is None

    def active(self):
        """What fires, or soon will."""
        with self.lock:
            return self.pending | {name for name, spans in self.spans.items() if spans[-1][1] is None}

    def first_pages(self, since, leaving_out):
        """Alerts that began to fire first after `since`: those of one evaluation."""
        with self.lock:
            begun = sorted((began, name) for name, spans in self.spans.items() if name not in leaving_out
                           for began, _ in spans if began >= since)
        return sorted({name for began, name in begun if began - begun[0][0] < 0.3})
