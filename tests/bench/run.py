# SPDX-License-Identifier: Apache-2.0
"""Measures the release build and prints a row a figure; deploy/bench.sh builds and calls it."""

import argparse
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support/programs"))

import figures
import idle
import load
import process_info
from figures import Figure
from programs import Programs, temp_folder


class Bench:
    """What the measurements share."""

    def __init__(self, programs, folder, quick):
        self.programs = programs
        self.folder = folder
        self.quick = quick
        self.window_s = 10 if quick else 60

    def scaled(self, count, at_least):
        return max(count // 4, at_least) if self.quick else count


def plugin_rtt(bench):
    arguments = ["2000", "7", "5"] if bench.quick else ["5000", "15", "5"]
    done = subprocess.run([str(bench.programs.bench_plugin_rtt), *arguments], capture_output=True,
                          text=True)
    p50 = dict(re.findall(r"plugin_rtt (\S.*?)\s+p50\s+([\d.]+) us", done.stdout))
    cpu = dict(re.findall(r"plugin_rtt (\S.*?)\s+p50.*cpu\s+([\d.]+) us", done.stdout))
    over = re.search(r"over grpc\+\+\s+p50 (\S+)\s+host (\S+)\s+cpu (\S+)\s+in flight (\S+)",
                     done.stdout)
    rate = re.search(r"transport (\d+) calls/s\s+grpc\+\+ (\d+)", done.stdout)
    idle = re.search(r"idle\s+transport (-?\d+)\s+grpc\+\+ (-?\d+) wake-ups", done.stdout)
    if len(p50) != 3 or not (over and rate and idle):
        raise RuntimeError(f"bench_plugin_rtt: {done.stdout}{done.stderr}")
    latency, host, cpu_ratio, flight = map(float, over.groups())
    ours, theirs = idle.groups()
    return [Figure("plugin_round_trip", host, "×", "<= 2",
                   f"whole host, warm, 256 bytes: p50 {p50['host']} us, over grpc++ alone: "
                   f"p50 {p50['grpc++ sync']} us", steady=True),
            Figure("plugin_transport_latency", latency, "×", "<= 1",
                   f"transport alone: p50 {p50['transport']} us, over grpc++'s sync client",
                   steady=True),
            Figure("plugin_calls_64_in_flight", flight, "×", ">= 1",
                   f"one plugin: {rate[1]} calls/s, by grpc++'s callback client {rate[2]}",
                   steady=True),
            Figure("plugin_call_cpu", cpu_ratio, "×", "<= 1",
                   f"CPU of our process a call: {cpu['transport']} us, with grpc++ "
                   f"{cpu['grpc++ sync']} us", steady=True),
            Figure("plugin_idle_wakeups", max(int(ours), 0), "", "= 0",
                   "of all threads in 5 s with two connections open", steady=True),
            Figure("plugin_idle_wakeups_grpc", max(int(theirs), 0), "", "",
                   "more with grpc++'s connection open as well")]


def plugin_start(bench):
    arguments = ["15", "1000"] if bench.quick else ["60", "5000"]
    done = subprocess.run([str(bench.programs.bench_plugin_start), *arguments], capture_output=True,
                          text=True)
    said = {name: tuple(map(float, rest)) for name, *rest in re.findall(
        r"plugin_start (\w+)\s+start\s+([\d.]+) us\s+over none\s+(-?[\d.]+) us\s+call\s+([\d.]+) us"
        r"\s+ratio ([\d.]+)\s+cpu over none\s+(-?[\d.]+)", done.stdout)}
    if len(said) != 3:
        raise RuntimeError(f"bench_plugin_start: {done.stdout}{done.stderr}")
    made = []
    for profile in ("default", "strict"):
        start, over, call, ratio, cpu = said[profile]
        made.append(Figure(f"sandbox_start_{profile}", over / 1000, "ms", "<= 3",
                           f"over no sandbox, first call of a plugin that did not run: p50 "
                           f"{start / 1000:.1f} ms; a later call: p50 {call:.0f} us, {ratio:.2f} x"))
        made.append(Figure(f"sandbox_cpu_{profile}", cpu / 1000, "ms", "",
                           "CPU of all processes over no sandbox, from the start to the end"))
    return made


def guard_check(bench):
    arguments = ["256", "5000"] if bench.quick else ["256", "20000"]
    done = subprocess.run([str(bench.programs.bench_guard_check), *arguments], capture_output=True,
                          text=True)
    taken = re.search(r"taken in ([\d.]+) us/KB", done.stdout)
    calls = re.findall(r"call .*?:\s+([\d.]+) us", done.stdout)
    if done.returncode != 0 or not taken or len(calls) != 2:
        raise RuntimeError(f"bench_guard_check: {done.stdout}{done.stderr}")
    named, asked = map(float, calls)
    return [Figure("call_check", max(named, asked), "µs", "<= 20",
                   f"judging a call in a context of 256 KB: {named} µs to whom the person named, "
                   f"{asked} µs with four values to ask about"),
            Figure("context_taken_in", float(taken[1]), "µs/KB", "",
                   "keeping where the values of a conversation came from")]


def kill(bench):
    result = bench.folder / "kill.json"
    done = subprocess.run([sys.executable, str(ROOT / "tests/kill/kill_points.py"), "--build",
                           str(bench.programs.build), "--json", str(result)],
                          stdout=subprocess.DEVNULL)
    told = json.loads(result.read_text())
    for failure in told["failures"][:5]:
        print(f"kill: {failure}", file=sys.stderr)
    if told["survived"] == told["total"] and done.returncode != 0:
        raise RuntimeError("kill_points.py showed nothing: " + "; ".join(told["failures"]))
    return [Figure("kill_points_survived", told["survived"], "", f"= {told['total']}",
                   f"of {told['total']}: SIGKILL at every write of a turn, tests/kill",
                   steady=True)]


MEASUREMENTS = {"overhead": load.overhead, "throughput": load.throughput, "memory": load.memory,
                "start": idle.cold_start, "idle": idle.idle, "connections": idle.connections,
                "plugin_rtt": plugin_rtt, "plugin_start": plugin_start,
                "guard_check": guard_check, "kill": kill}
NEEDED = ("talon", "mockllm", "bench_turns", "bench_plugin_rtt", "bench_plugin_start",
          "bench_guard_check", "test_plugin", "kill_shim")


def main():
    parser = argparse.ArgumentParser(prog="deploy/bench.sh")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--only", choices=MEASUREMENTS, action="append", help="repeatable")
    parser.add_argument("--quick", action="store_true",
                        help="shorter; only figures that no busy machine changes decide")
    parser.add_argument("--json", help="write the figures to this file", type=pathlib.Path)
    parser.add_argument("--readme", action="store_true", help="write README.md's table")
    arguments = parser.parse_args()
    if arguments.readme and (arguments.only or arguments.quick):
        parser.error("--readme needs a whole run")
    programs = Programs(arguments.build)
    if missing := programs.missing(*NEEDED):
        sys.exit(f"not built: {', '.join(missing)}")
    measured = []
    with temp_folder() as folder:
        machine = process_info.machine(folder)
        print(machine, flush=True)
        bench = Bench(programs, folder, arguments.quick)
        for name in arguments.only or MEASUREMENTS:
            for figure in MEASUREMENTS[name](bench):
                measured.append(figure)
                print(figures.row(figure), flush=True)
    if arguments.json:
        figures.write_json(arguments.json, measured, machine)
    if arguments.readme:
        figures.write_readme(ROOT / "README.md", measured, machine)
    failed = figures.failures(measured, arguments.quick)
    for figure in failed:
        print(f"missed: {figure.name} {figure.shown()}, bar {figure.bar}", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
