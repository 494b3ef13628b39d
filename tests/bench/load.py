# SPDX-License-Identifier: Apache-2.0
"""Figures of turns: overhead, throughput, CPU, memory over many sessions. The mock model answers at
once; a turn is measured whole, as its client sees it."""

import json
import os
import subprocess

import process_info
from figures import Figure
from programs import TOKEN, Daemon, Mock, config, temp_folder

TOOL = ("--tool", "files__list", "--args", '{"path":"."}')
CONVERSATION = 20  # turns of a session


class Setup:
    """Daemon and mock, ready for turns; `with_tool`: every turn calls the files plugin once. Both, the
    plugin and the load generator run on the given cores only; none given: on all."""

    def __init__(self, bench, with_tool, durability="power", cores=None):
        self.bench = bench
        self.mock_arguments = ("--bench", *(TOOL if with_tool else ()))
        self.more = {"state": {"durability": durability}}
        self.cores = cores

    def __enter__(self):
        self.all_cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self.cores or self.all_cores)
        self.folder = temp_folder()
        home = self.folder.__enter__() / "home"
        self.mock = Mock(self.bench.programs, *self.mock_arguments)
        workspace = home / "workspace/main"
        workspace.mkdir(parents=True)
        (workspace / "notes.txt").write_text("buy milk\n")
        self.daemon = Daemon(self.bench.programs, home, config(self.mock.url, self.more)).start()
        return self

    def __exit__(self, *error):
        self.daemon.stop()
        self.mock.__exit__()
        self.folder.__exit__(*error)
        os.sched_setaffinity(0, self.all_cores)

    def turns(self, sessions, turns, connections, prefix="", warmup=0):
        """One run of the load generator; its JSON, with the CPU of daemon and plugin."""
        pids = [self.daemon.pid, *process_info.descendants(self.daemon.pid)]
        watched = [part for pid in pids for part in ("--pid", pid)]
        prefixed = ["--prefix", prefix] if prefix else []
        result = self.generate(f"http://127.0.0.1:{self.daemon.port}", sessions, turns, connections,
                               "--warmup", warmup, *prefixed, *watched)
        result["cpu_ms"] = result["watched"][0]["cpu_ms_per_turn"]
        result["plugin_cpu_ms"] = sum(one["cpu_ms_per_turn"] for one in result["watched"][1:])
        return result

    def model_call_ms(self, calls):
        """What the model's answer to one request takes without a daemon: the generator asks a mock."""
        with Mock(self.bench.programs, "--bench") as mock:
            return self.generate(mock.url, calls // CONVERSATION, CONVERSATION,
                                 1)["p50_ms"]

    def generate(self, url, sessions, turns, connections, *more):
        command = [self.bench.programs.bench_turns, "--url", url, "--token", TOKEN, "--json",
                   "--expect", "ok", "--sessions", sessions, "--turns", turns, "--connections",
                   connections, *more]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"turns failed: {done.stdout}{done.stderr}\n{self.daemon.log()}")
        return json.loads(done.stdout)

    def warm(self):
        """Starts the plugin, opens connections, fills caches."""
        self.turns(64, 2, 64, prefix="warm")


def overhead(bench):
    """One session is a chain of steps in which nothing runs at once: on one core, a second core's
    waking costs nothing; on any core, as people run it, it does. The bar is for both."""
    one_core = {max(os.sched_getaffinity(0))}
    cases = ((1, one_core, "1 session, daemon, plugin, mock and client on one core"),
             (1, None, "1 session, any core"), (64, None, "64 sessions at once"))
    figures = []
    for durability, bar in (("power", "<= 3"), ("process", "<= 1")):
        for at_once, cores, conditions in cases:
            name = f"turn_overhead_{durability}_{at_once}"
            with Setup(bench, True, durability, cores) as setup:
                setup.warm()
                result = setup.turns(bench.scaled(50 if at_once == 1 else 256, at_once),
                                     CONVERSATION, at_once)
                model = setup.model_call_ms(bench.scaled(1000, 200)) if at_once == 1 else 0
            name += "_any_core" if at_once == 1 and not cores else ""
            figures += [Figure(name + "_p50", result["p50_ms"], "ms", bar if at_once == 1 else "",
                               f"one plugin call, two model rounds; {conditions}"),
                        Figure(name + "_p99", result["p99_ms"], "ms", "", "as above")]
            if at_once == 1:
                figures.append(Figure(name + "_p50_without_model", result["p50_ms"] - 2 * model,
                                      "ms", "", "less two requests that the same client makes of "
                                      f"the mock without a daemon, {model:.3f} ms each"))
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
