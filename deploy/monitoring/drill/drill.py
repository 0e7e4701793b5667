"""Goes over the faults and says of each alert when it fired and when it was silent again. README.md one folder up says what must hold."""
import argparse
import dataclasses
import pathlib
import sys
import threading
import time
import traceback

import stage as stages  # First: it knows where the fixtures are.
import faults
import postgres_faults  # noqa: F401  Its rows come after those of faults.
import watch

SILENT_BEFORE = 60


@dataclasses.dataclass
class Row:
    alert: str
    fault: str
    fired_s: float | None = None
    silent_s: float | None = None
    first: list = dataclasses.field(default_factory=list)
    wrong: str = ""

    def line(self):
        def number(value):
            return "never" if value is None else f"{value:.1f}"
        return (f"{self.alert:32} {self.fault:52} {number(self.fired_s):>7} {number(self.silent_s):>7}  "
                f"{', '.join(self.first):34} {self.wrong}".rstrip())


class Drill:
    def __init__(self, stage, eyes):
        self.stage = stage
        self.eyes = eyes
        self.rows = []
        self.present = set()
        self.lock = threading.Lock()

    def run_group(self, lanes):
        threads = [threading.Thread(target=self.run_lane, args=(lane,), daemon=True) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def run_lane(self, lane):
        for fault in lane:
            rows = [Row(alert, fault.name) for alert in fault.pulls]
            try:
                self.run_fault(fault, rows)
            except Exception as error:
                if not isinstance(error, AssertionError):
                    traceback.print_exc()
                self.bring_up(fault)
                for row in rows:
                    row.wrong = row.wrong or f"{type(error).__name__}: {str(error)[:200]}"
            with self.lock:
                self.rows += rows
                for row in rows:
                    print(row.line(), flush=True)

    def run_fault(self, fault, rows):
        if fault.needs and not self.stage.cluster.samples(fault.needs):
            raise AssertionError(f"this build does not export {fault.needs}")
        calm = self.wait(lambda: all(self.eyes.silent_seconds(row.alert) >= SILENT_BEFORE for row in rows), 300)
        if not calm:
            loud = [row.alert for row in rows if self.eyes.silent_seconds(row.alert) < SILENT_BEFORE]
            raise AssertionError(f"not silent for {SILENT_BEFORE} s before the fault: {loud}")
        beside = self.others(fault)
        # What a fault before has left does not come first by chance.
        self.wait(lambda: not self.eyes.active() - beside - faults.NOISE, 120)
        acting = fault.act(self.stage)
        began = time.monotonic()
        try:
            next(acting)
            self.wait(lambda: all(self.eyes.fired_at(row.alert, began) for row in rows), fault.within)
        finally:
            mended = time.monotonic()
            next(acting, None)
        self.wait(lambda: not any(self.eyes.fires(row.alert) for row in rows), fault.silent_within)
        with self.lock:
            self.present.remove(fault.name)
        self.judge(fault, rows, began, mended, beside | self.others(fault, add=False))

    def bring_up(self, fault):
        """What a fault has left that did not come to its end; with others there it is left to them."""
        with self.lock:
            self.present.discard(fault.name)
            alone = not self.present
        if alone:
            self.stage.end_by_hand()
            self.stage.up()

    def others(self, fault, add=True):
        """What faults that are there at the same time fire."""
        with self.lock:
            found = [other for other in faults.all_faults() if other.name in self.present]
            if add:
                self.present.add(fault.name)
        return {alert for other in found if other is not fault for alert in (*other.pulls, *other.meanwhile)} - {*fault.pulls}

    def judge(self, fault, rows, began, mended, beside):
        first = self.eyes.first_pages(began, beside | (faults.NOISE - {*fault.pulls}))
        for row in rows:
            fired = self.eyes.fired_at(row.alert, began)
            row.first = first
            if fired is None:
                row.wrong = "did not fire"
                continue
            row.fired_s = fired - began
            if self.eyes.fires(row.alert):
                row.wrong = "fires still"
                continue
            row.silent_s = max(0.0, time.monotonic() - self.eyes.silent_seconds(row.alert) - mended)
            if not set(first) & set(fault.first):
                row.wrong = "another page came first: expected " + " or ".join(fault.first)

    @staticmethod
    def wait(condition, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.2)
        return condition()


def main():
    parser = argparse.ArgumentParser(prog="drill.sh")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--port", type=int, default=18700)
    parser.add_argument("--only", action="append", help="this fault alone, by a part of its name; may be given several times")
    parser.add_argument("--list", action="store_true", help="the faults, and the alerts that they pull")
    arguments = parser.parse_args()
    if arguments.list:
        for fault in faults.all_faults():
            print(f"{fault.name}: {', '.join(fault.pulls)}")
        for alert, why in faults.NOT_PULLED.items():
            print(f"(none): {alert}: {why}")
        return 0
    return run(arguments)


def run(arguments):
    stage = stages.Stage(arguments.work, arguments.port)
    chosen = [[[fault for fault in lane if not arguments.only or any(word in fault.name for word in arguments.only)]
               for lane in lanes] for lanes in faults.GROUPS]
    stage.start()
    load = stages.Load(stage)
    eyes = watch.Watch(arguments.work, stage.jobs())
    drill = Drill(stage, eyes)
    began = time.monotonic()
    print(f"{'alert':32} {'fault':52} {'fires s':>7} {'silent':>7}  first page", flush=True)
    try:
        for lanes in chosen:
            drill.run_group(lanes)
    finally:
        load.stop()
        eyes.stop()
        stage.wipe()
    wrong = [row for row in drill.rows if row.wrong]
    for alert, why in faults.NOT_PULLED.items():
        print(f"{alert:32} not pulled: {why}")
    print(f"{len(drill.rows)} rows in {time.monotonic() - began:.0f} s, {len(wrong)} did not hold; the longest look apart: {eyes.gap_longest:.1f} s")
    return 1 if wrong or eyes.gap_longest > 5 or not drill.rows else 0


if __name__ == "__main__":
    sys.exit(main())
