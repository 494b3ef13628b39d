# SPDX-License-Identifier: Apache-2.0
"""Kills the daemon at every write to its database, starts it again, and looks at what is left: one
answer, one effect, whole records (README.md).

    kill_points.py --build build/release [--long] [--keep] [--json FILE] [--only VARIANT] [--at N]
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import queue
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/programs"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import checks
import other_kills
from programs import Daemon, Ended, Mock, Programs, config, temp_folder

KILLED = -9
MOST_ASKS = 10_000  # of one life; each returns when the daemon has answered
WORKERS = 2

DURABILITIES = ("power", "process")
VARIANTS = {"idempotent": "ledger_append", "blind": "ledger_append_blind"}


def script(tool, ledger):
    """One call, then an answer that differs with every request: a second one would show."""
    def told(text):
        return {"match": {"after_tool": True, "tool_result": text}}
    return {"rules": [
        {**told("outcome unknown"), "answer": {"text": "Not known whether it was done ({{request}})"}},
        {**told("appended"), "answer": {"text": "Done ({{request}})"}},
        {"match": {"after_tool": True}, "fault": {"status": 400, "message": "unexpected result"}},
        {"match": {}, "answer": {"calls": [{"tool": f"ledger__{tool}",
                                            "args": {"file": str(ledger), "line": "one"}}]}},
    ]}


class Case:
    """One home folder, killed at each of `kills` in turn: (call number, when)."""

    def __init__(self, bench, variant, kills, durability="power"):
        self.bench = bench
        self.variant = variant
        self.kills = kills
        self.durability = durability
        self.name = f"{variant} {durability} " + " then ".join(f"{at} {when}" for at, when in kills)
        self.happened = 0
        self.answers = []
        self.session = ""
        self.unknown = False  # the model was told that the effect's outcome is
        self.counts = []  # of the killed lives

    def run(self, mock, folder):
        self.home = folder / "home"
        self.ledger = folder / "ledger"
        shutil.copytree(self.bench.template, self.home)
        mock.play(script(VARIANTS[self.variant], self.ledger))
        daemon = Daemon(self.bench.programs, self.home, self.bench.config(mock, self.durability))
        for at, when in self.kills:
            if self.live(daemon, self.shim(at, when)) == KILLED:
                self.happened += 1
        self.live(daemon, {}, last=True)
        self.requests = mock.requests()
        checks.check(self)

    def shim(self, at, when):
        return {"LD_PRELOAD": str(self.bench.programs.kill_shim), "TALON_KILL_PROGRAM": "talon",
                "TALON_KILL_AT": str(at), "TALON_KILL_WHEN": when,
                "TALON_KILL_COUNT_FILE": str(self.home / "count")}

    def live(self, daemon, env, last=False):
        """From a start to an end; returns the exit code."""
        try:
            daemon.start(env)
        except Ended as ended:
            if ended.code != KILLED:
                raise
            return KILLED
        if env:
            self.counts.append(int((self.home / "count").read_text()))
        answered = self.ask(daemon)
        if last:
            if not answered:
                raise AssertionError("no answer from a daemon nobody killed")
            self.ask(daemon)
            self.messages = daemon.get(f"/v1/sessions/{self.session}/messages")["messages"]
        if answered:
            code = daemon.stop()
        else:
            code = daemon.child.wait()
        if code not in (0, KILLED) or (last and code != 0):
            raise AssertionError(f"the daemon ended with {code}\n{daemon.log()}")
        return code

    def ask(self, daemon):
        """The request with its key, until there is an answer (True) or no daemon."""
        body = {"model": "talon", "user": "kill", "messages": [{"role": "user", "content": "append"}]}
        for _ in range(MOST_ASKS):
            try:
                status, headers, answer = daemon.call("POST", "/v1/chat/completions", body,
                                                      {"Idempotency-Key": "key-1"})
            except OSError:
                return False
            except Exception as error:  # http.client's, of a connection that broke
                if type(error).__module__ != "http.client":
                    raise
                return False
            if status == 503:  # taken up, not yet running
                continue
            if status != 200:
                raise AssertionError(f"status {status}: {answer.decode(errors='replace')}")
            self.answers.append(json.loads(answer)["choices"][0]["message"]["content"])
            self.session = headers["X-Talon-Session"]
            return True
        raise AssertionError("asked too often")


class Bench:
    """Runs cases on a few threads, each with a mock of its own."""

    def __init__(self, programs, folder, keep):
        self.programs = programs
        self.folder = folder
        self.keep = keep
        self.template = folder / "template"
        self.mocks = queue.Queue()
        self.failures = []
        self.survived = 0
        self.unknown = 0
        self.total = 0
        for _ in range(WORKERS):
            self.mocks.put(Mock(programs))
        mock = self.mocks.queue[0]
        with Daemon(programs, self.template, self.config(mock)):
            pass  # the database with its tables, the plugin's manifest

    def config(self, mock, durability="power"):
        # The ledger's file is outside of what a sandbox would show.
        ledger = {"plugin": str(self.programs.test_plugin), "sandbox": {"profile": "none"}}
        others = {name: {"enabled": False} for name in ("files", "shell", "http", "mcp")}
        return config(mock.url, {"plugins": {"ledger": ledger, **others},
                                 "state": {"durability": durability}})

    def one(self, case):
        mock = self.mocks.get()
        try:
            with temp_folder(self.folder) as folder:
                try:
                    case.run(mock, folder)
                except Exception as error:
                    case.failed = f"{type(error).__name__}: {error}"
                    if self.keep:
                        shutil.copytree(folder, self.folder / f"failed {case.name}")
                else:
                    case.failed = ""
        finally:
            self.mocks.put(mock)
        return case

    def run(self, cases):
        """Counts those whose every kill happened; returns all."""
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            done = list(pool.map(self.one, cases))
        for case in done:
            self.unknown += getattr(case, "unknown", False)
            if case.failed:
                self.failures.append(f"{case.name}: {case.failed}")
            if case.failed or case.happened == len(case.kills):
                self.total += 1
                self.survived += not case.failed
        return done

    def close(self):
        while not self.mocks.empty():
            self.mocks.get().__exit__()


def count_points(bench, variant, durability):
    """The first and the last call of a turn: after the start, to the end of an ordered stop."""
    case = bench.one(Case(bench, variant, [(0, "before")], durability))
    if case.failed:
        raise SystemExit(f"{case.name}: fails without a kill: {case.failed}")
    first, last = case.counts[0] + 1, case.last_count
    print(f"{variant} {durability}: {last - first + 1} writes of a turn and the stop after it")
    return first, last


def sweep(bench, variant, when, points):
    """Every point, and those behind the last while there are some: commits may group otherwise."""
    done = bench.run([Case(bench, variant, [(at, when)]) for at in points])
    at = points[-1] + 1 if points else 1
    while done and done[-1].happened and points.step == 1:
        done = bench.run([Case(bench, variant, [(at, when)])])
        at += 1


def sweep_process(bench, variant, long):
    """With `durability: process`, where the death of the process must lose nothing either: every
    point, before and after the write in turn, or both with `long`."""
    first, last = count_points(bench, variant, "process")
    bench.run([Case(bench, variant, [(at, when)], "process")
               for at in range(first, last + 1)
               for when in (("before", "after") if long else (("before", "after")[at % 2],))])


def recoveries(bench, variant, first, last, step):
    """A second kill, at every write of the start and the turn that recovers from the first."""
    for at in range(first, last + 1, step):
        second = 1
        while True:
            cases = [Case(bench, variant, [(at, "after"), (second + i, "before")])
                     for i in range(2 * WORKERS)]
            done = bench.run(cases)
            second += len(done)
            if any(case.failed or case.happened < 2 for case in done):
                break


def starts(bench):
    """Kills at every write of a first start: migrations, token, catalogue."""
    at = 1
    while bench.run([other_kills.FirstStart(bench, at, "after")])[0].happened:
        at += 1


def run_all(bench, arguments):
    for variant in VARIANTS:
        if arguments.only and arguments.only != variant:
            continue
        if arguments.at:
            bench.run([Case(bench, variant, [(arguments.at, arguments.when)], arguments.durability)])
            continue
        first, last = count_points(bench, variant, "power")
        for when in ("before", "after"):
            sweep(bench, variant, when, range(first, last + 1))
        sweep(bench, variant, "torn", range(first, last + 1, 1 if arguments.long else 7))
        recoveries(bench, variant, first + 3, last, 1 if arguments.long else 20)
        sweep_process(bench, variant, arguments.long)
    if not arguments.only and not arguments.at:
        if bench.unknown == 0:
            bench.failures.append("no kill fell into the call: nothing was shown")
        starts(bench)
        bench.run([other_kills.PluginKilled(bench), other_kills.ModelHangs(bench)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True, help="build folder with the programs")
    parser.add_argument("--long", action="store_true", default=bool(os.environ.get("TALON_LONG")))
    parser.add_argument("--keep", action="store_true", help="keep the folders of failed cases")
    parser.add_argument("--json", help="write the figure to this file")
    parser.add_argument("--only", choices=VARIANTS)
    parser.add_argument("--at", type=int, help="only this write")
    parser.add_argument("--when", default="before", choices=["before", "after", "torn"])
    parser.add_argument("--durability", default="power", choices=DURABILITIES, help="with --at")
    arguments = parser.parse_args()
    programs = Programs(arguments.build)
    if missing := programs.missing("talon", "mockllm", "test_plugin", "kill_shim"):
        sys.exit(f"not built: {', '.join(missing)}")
    began = time.monotonic()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with temp_folder(memory) as folder:
        bench = Bench(programs, folder, arguments.keep)
        try:
            run_all(bench, arguments)
        finally:
            bench.close()
        if arguments.keep and bench.failures:
            kept = shutil.copytree(folder, f"/tmp/{folder.name}-failed")
            print(f"kept: {kept}")
    for failure in bench.failures[:20]:
        print(f"FAILED {failure}", file=sys.stderr)
    print(f"kill points survived: {bench.survived} of {bench.total}"
          f" ({time.monotonic() - began:.0f} s)")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(
            {"survived": bench.survived, "total": bench.total, "failures": bench.failures}))
    sys.exit(0 if bench.total > 0 and not bench.failures else 1)


if __name__ == "__main__":
    main()
