# SPDX-License-Identifier: Apache-2.0
"""Kills that no write counts: a first start, the plugin in a call, the daemon while a model hangs.
Each looks like a case of kill_points.py."""

import json
import os
import signal
import socket
import time

import checks
from programs import Background, Daemon, Ended

CLIENT_S = 30
AGAIN_S = 1.0  # from the call after a kill to the end of its turn: the plugin starts for it


def ask(daemon, text, key):
    status, headers, body = daemon.call(
        "POST", "/v1/chat/completions",
        {"model": "talon", "user": "kill", "messages": [{"role": "user", "content": text}]},
        {"Idempotency-Key": key})
    checks.expect(status == 200, f"status {status}: {body.decode(errors='replace')}")
    answer = json.loads(body)["choices"][0]["message"]["content"]
    return answer, headers["X-Talon-Session"]


class FirstStart:
    """A new home folder, killed at write `at` of its first start; the second start must serve."""

    def __init__(self, bench, at, when):
        self.bench = bench
        self.kills = [(at, when)]
        self.name = f"first start {at} {when}"
        self.happened = 0

    def run(self, mock, folder):
        daemon = Daemon(self.bench.programs, folder / "home", self.bench.config(mock))
        at, when = self.kills[0]
        try:
            daemon.start({"LD_PRELOAD": str(self.bench.programs.kill_shim),
                          "TALON_KILL_PROGRAM": "talon", "TALON_KILL_AT": str(at),
                          "TALON_KILL_WHEN": when})
            daemon.stop(signal.SIGKILL)
        except Ended as ended:
            checks.expect(ended.code == -signal.SIGKILL, str(ended))
            self.happened = 1
        mock.play({"rules": [{"match": {}, "answer": "ready"}]})
        daemon.start()
        answer, _ = ask(daemon, "hello", "key-1")
        checks.expect(answer == "ready", f"answer {answer!r}")
        checks.expect(daemon.stop() == 0, "no ordered stop")
        checks.check_database(daemon.home / "talon.db")


class PluginKilled:
    """The plugin's process dies in a call, in its sandbox: the turn ends, the daemon goes on, the next
    call works, and soon. The ledger is a FIFO at first: the call waits in it, and its other end shows when."""

    def __init__(self, bench):
        self.bench = bench
        self.kills = [(0, "plugin")]
        self.name = "plugin killed in a call"
        self.happened = 0

    def run(self, mock, folder):
        shown = folder / "shown"
        shown.mkdir()
        ledger = shown / "ledger"
        os.mkfifo(ledger)
        settings = self.bench.config(mock)
        settings["plugins"]["ledger"]["sandbox"] = {"write_paths": [str(shown)]}
        mock.play({"rules": [
            {"match": {"after_tool": True}, "answer": "told: {{tool_result}}"},
            {"match": {}, "answer": {"calls": [{"tool": "ledger__ledger_append", "args": {
                "file": str(ledger), "line": "one"}}]}}]})
        with Daemon(self.bench.programs, folder / "home", settings) as daemon:
            # Started beforehand: once it is in the call there is no time to ask for its number.
            daemon.call("POST", "/v1/plugins/ledger/restart", {})
            [plugin] = [one for one in daemon.get("/v1/plugins")["plugins"]
                        if one["name"] == "ledger"]
            checks.expect(plugin["pid"] > 1, f"no process in {plugin}")
            checks.expect(plugin["sandbox"]["grade"] in ("A", "B", "C"), f"no sandbox in {plugin}")
            asked = Background(lambda: ask(daemon, "append", "key-1")[0])
            with open(ledger, "wb"):  # opens when the plugin does
                os.kill(plugin["pid"], signal.SIGKILL)
                ledger.unlink()
                self.happened = 1
                answer = asked.result()
            lines = ledger.read_text() if ledger.exists() else ""
            checks.expect(("appended" in answer) == (lines == "one\n"),
                          f"told {answer!r}, ledger {lines!r}")
            ledger.unlink(missing_ok=True)
            begin = time.monotonic()
            answer, _ = ask(daemon, "append", "key-2")
            taken = time.monotonic() - begin
            checks.expect(taken < AGAIN_S, f"the next call took {taken:.2f} s")
            checks.expect("appended" in answer, f"next call: {answer!r}")
            checks.expect(ledger.read_text() == "one\n", "the next call left no line")
            checks.expect(daemon.stop() == 0, "no ordered stop")


class ModelHangs:
    """The daemon dies while it waits for a model that does not answer; the next one answers."""

    def __init__(self, bench):
        self.bench = bench
        self.kills = [(0, "model")]
        self.name = "daemon killed in a model call"
        self.happened = 0

    def run(self, mock, folder):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(CLIENT_S)
            settings = self.bench.config(mock)
            provider = settings["models"]["providers"]["mock"]
            url, provider["base_url"] = provider["base_url"], \
                f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
            daemon = Daemon(self.bench.programs, folder / "home", settings).start()
            asked = Background(lambda: ask(daemon, "hello", "key-1"))
            connection, _ = silent.accept()
            connection.settimeout(CLIENT_S)
            checks.expect(connection.recv(1), "the model was asked nothing")
            daemon.stop(signal.SIGKILL)
            self.happened = 1
            connection.close()
        try:
            asked.result()
            raise AssertionError("an answer came from nowhere")
        except OSError:
            pass
        provider["base_url"] = url
        mock.play({"rules": [{"match": {}, "answer": "awake ({{request}})"}]})
        with Daemon(self.bench.programs, folder / "home", settings) as daemon:
            answers = set()
            while len(answers) < 1:
                status, _, body = daemon.call(
                    "POST", "/v1/chat/completions",
                    {"model": "talon", "user": "kill",
                     "messages": [{"role": "user", "content": "hello"}]},
                    {"Idempotency-Key": "key-1"})
                checks.expect(status in (200, 503), f"status {status}: {body!r}")
                if status == 200:
                    answers.add(json.loads(body)["choices"][0]["message"]["content"])
            answers.add(ask(daemon, "hello", "key-1")[0])
            checks.expect(answers == {"awake (1)"}, f"answers {answers}")
            checks.expect(daemon.stop() == 0, "no ordered stop")
        checks.check_database(daemon.home / "talon.db")
