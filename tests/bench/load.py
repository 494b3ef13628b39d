# SPDX-License-Identifier: Apache-2.0
"""Figures of turns: overhead, throughput, CPU, memory over many sessions. The mock model answers at
once; a turn is measured whole, as its client sees it."""

import json
import pathlib
import subprocess

import process_info
from figures import Figure
from programs import TOKEN, Daemon, Mock, config, temp_folder

TOOL = ("--tool", "files__list", "--args", '{"path":"."}')
CONVERSATION = 20  # turns of a session


class Setup:
    """Daemon and mock, ready for turns; `with_tool`: every turn calls the files plugin once."""

    def __init__(self, bench, with_tool, durability="power"):
        self.bench = bench
        self.mock_arguments = ("--bench", *(TOOL if with_tool else ()))
        self.more = {"state": {"durability": durability}}
        self.with_tool = with_tool
        self.env = {}

    def __enter__(self):
        self.folder = temp_folder()
        home = self.folder.__enter__() / "home"
        self.mock = Mock(self.bench.programs, *self.mock_arguments)
        workspace = home / "workspace/main"
        workspace.mkdir(parents=True)
        (workspace / "notes.txt").write_text("buy milk\n")
        self.daemon = Daemon(self.bench.programs, home, config(self.mock.url, self.more), self.env).start()
        return self

    def __exit__(self, *error):
        self.daemon.stop()
        self.mock.__exit__()
        self.folder.__exit__(*error)

    def turns(self, sessions, turns, connections, prefix="", warmup=0):
        """One run of the load generator; its JSON, with the CPU of daemon and plugin."""
        pids = [self.daemon.pid, *process_info.children(self.daemon.pid)]
        command = [self.bench.programs.bench_turns, "--url", f"http://127.0.0.1:{self.daemon.port}",
                   "--token", TOKEN, "--json", "--expect", "ok", "--sessions", sessions, "--turns",
                   turns, "--connections", connections, "--warmup", warmup]
        command += ["--prefix", prefix] if prefix else []
        for pid in pids:
            command += ["--pid", pid]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"turns failed: {done.stdout}{done.stderr}\n{self.daemon.log()}")
        result = json.loads(done.stdout)
        result["cpu_ms"] = result["watched"][0]["cpu_ms_per_turn"]
        result["plugin_cpu_ms"] = sum(one["cpu_ms_per_turn"] for one in result["watched"][1:])
        return result

    def warm(self):
        """Starts the plugin, opens connections, fills caches."""
        self.turns(64, 2, 64, prefix="warm")


def overhead(bench):
    figures = []
    for durability, bar in (("power", "<= 3"), ("process", "<= 1")):
        with Setup(bench, True, durability) as setup:
            setup.warm()
            for at_once in (1, 64):
                count = bench.scaled(25 if at_once == 1 else 256, at_once)
                result = setup.turns(count, CONVERSATION, at_once)
                what = "state.durability: " + durability
                conditions = (f"{at_once} session{'s' if at_once > 1 else ''} at once, one plugin "
                              f"call, two model rounds, {what}")
                name = f"turn_overhead_{durability}_{at_once}"
                figures += [Figure(name + "_p50", result["p50_ms"], "ms",
                                   bar if at_once == 1 else "", conditions),
                            Figure(name + "_p99", result["p99_ms"], "ms", "", "as above")]
    return figures


def throughput(bench):
    figures = []
    for name, with_tool, rate_bar, cpu_bar in (("no_tool", False, ">= 1000", "<= 1"),
                                               ("one_tool", True, ">= 400", "<= 2.5")):
        with Setup(bench, with_tool) as setup:
            setup.warm()
            result = setup.turns(bench.scaled(640, 64), CONVERSATION, 64)
        conditions = (f"64 sessions at once, conversations of {CONVERSATION} turns, durable, cores "
                      "shared with mock and load generator")
        figures += [Figure(f"turns_per_second_{name}", result["turns_per_s"], "/s", rate_bar,
                           conditions),
                    Figure(f"turn_cpu_{name}", result["cpu_ms"], "ms", cpu_bar, "of the daemon"),
                    Figure(f"turn_cpu_{name}_generator", result["own_cpu_ms_per_turn"], "ms", "",
                           "of the load generator")]
        if with_tool:
            figures.append(Figure("turn_cpu_one_tool_plugin", result["plugin_cpu_ms"], "ms", "",
                                  "of the plugin"))
    return figures


def memory(bench):
    """The same 1,000 sessions: after a turn of each, and after the last of 10 (quick: 2)."""
    sessions, more = 1000, 1 if bench.quick else 9
    with Setup(bench, False) as setup:
        setup.turns(sessions, 1, 16, prefix="flat")
        before, _ = process_info.memory_mb(setup.daemon.pid)
        setup.turns(sessions, more, 16, prefix="flat")
        after, _ = process_info.memory_mb(setup.daemon.pid)
    turns = sessions * (1 + more)
    return [Figure("rss_growth", after / before, "×", "<= 1.1",
                   f"RSS after {turns} turns over {sessions} sessions ({after:.1f} MB) over RSS "
                   f"after {sessions} ({before:.1f} MB)", steady=True)]
