# SPDX-License-Identifier: Apache-2.0
"""Starts the built programs for tests and benchmarks written in Python: the daemon with a home of its
own, and the mock provider. Readiness is told by the programs themselves; nothing sleeps or polls.
Standard library only."""

import contextlib
import http.client
import itertools
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

TOKEN = "token-of-a-test-0123456789"
START_S = 30  # a start that takes longer is an error
STOP_S = 30
CALL_S = 60

_counter = itertools.count()


class Ended(Exception):
    """A program ended where it should not have."""

    def __init__(self, code, said=""):
        super().__init__(f"ended with {code}\n{said}")
        self.code = code


class Programs:
    """The programs of one build folder."""

    def __init__(self, build):
        build = pathlib.Path(build).resolve()
        self.build = build
        self.talon = build / "bin/talon"
        self.mockllm = build / "tests/bin/mockllm"
        self.test_plugin = build / "tests/plugins/test_plugin/test_plugin"
        self.kill_shim = build / "tests/support/kill_shim/libkill_shim.so"
        self.bench_turns = build / "tests/bench/turns/bench_turns"
        self.bench_plugin_rtt = build / "tests/bench/plugin_rtt/bench_plugin_rtt"
        self.bench_plugin_start = build / "tests/bench/plugin_start/bench_plugin_start"
        self.bench_guard_check = build / "tests/bench/guard_check/bench_guard_check"

    def missing(self, *names):
        return [str(getattr(self, name)) for name in names if not getattr(self, name).exists()]


@contextlib.contextmanager
def temp_folder(parent=None):
    """A short path (sockets have 108 bytes), removed at the end."""
    folder = tempfile.mkdtemp(prefix="talon-", dir=parent)
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_readable(seconds, *files):
    """Those of `files` that can be read; an empty list when the time is over."""
    return select.select(files, [], [], seconds)[0]


class Child:
    """A process whose end can be waited for together with other things."""

    def __init__(self, command, env, stdout=None, stderr=None):
        self.process = subprocess.Popen([str(part) for part in command], env=env,
                                        stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        self.pid = self.process.pid
        self.pidfd = os.pidfd_open(self.pid)

    def alive(self):
        return self.process.poll() is None

    def send(self, number):
        if self.alive():
            signal.pidfd_send_signal(self.pidfd, number)

    def wait(self, seconds=STOP_S):
        code = self.process.wait(seconds)
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
        return code

    def stop(self, number=signal.SIGTERM, seconds=STOP_S):
        """Ends it and returns its exit code; killed when it takes too long, which is an error."""
        self.send(number)
        try:
            return self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.wait()
            raise


def call(port, method, path, body=None, headers=None, timeout=CALL_S):
    """One request on its own connection: (status, headers, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


class Mock:
    """mockllm; `arguments` as its README has them."""

    def __init__(self, programs, *arguments, env=None):
        command = [programs.mockllm, "--port", "0", *arguments]
        self.child = Child(command, {**os.environ, **(env or {})}, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL)
        line = self.child.process.stdout.readline()
        if not line:
            raise Ended(self.child.wait(), "mockllm did not start")
        self.port = int(line)
        self.url = f"http://127.0.0.1:{self.port}"

    def play(self, script):
        """A new script, as JSON (which is YAML)."""
        status, _, body = call(self.port, "POST", "/__script", json.dumps(script))
        if status != 200:
            raise RuntimeError(f"script refused: {body.decode()}")

    def requests(self):
        return json.loads(call(self.port, "GET", "/__requests")[2])["requests"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stop()
        self.child.process.stdout.close()


def config(mock_url="", more=None):
    """A configuration whose only provider is the mock; `more` is merged over it, key by key."""
    base = {"gateway": {"http": {"port": 0}, "token": TOKEN}, "log": {"level": "warn"}}
    if mock_url:
        base["models"] = {"providers": {"mock": {
            "api": "openai-completions", "base_url": mock_url + "/v1", "api_key": "key-of-a-test",
            "base_delay": "1ms", "max_delay": "10ms", "models": [{"id": "m1"}]}}}
        base["routing"] = {"primary": "mock/m1"}

    def merge(into, other):
        for key, value in other.items():
            if isinstance(value, dict) and isinstance(into.get(key), dict):
                merge(into[key], value)
            else:
                into[key] = value
    merge(base, more or {})
    return base


class Daemon:
    """`talon serve` on a home folder."""

    def __init__(self, programs, home, configuration=None, env=None):
        self.programs = programs
        self.home = pathlib.Path(home)
        self.env = env or {}
        self.child = None
        self.port = 0
        self.home.mkdir(parents=True, exist_ok=True)
        if configuration is not None:
            (self.home / "talon.yaml").write_text(json.dumps(configuration))

    def environment(self, extra=None):
        base = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.home), "LANG": "C.UTF-8",
                "TALON_HOME": str(self.home)}
        return {**base, **self.env, **(extra or {})}

    def start(self, env=None):
        """Returns once it serves; Ended when it ends before."""
        name = f"talon-test-{os.getpid()}-{next(_counter)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, \
                open(self.home / "stderr", "ab") as stderr:
            ready.bind("\0" + name)
            environment = self.environment({"NOTIFY_SOCKET": "@" + name, **(env or {})})
            self.child = Child([self.programs.talon, "serve"], environment,
                               stdout=subprocess.DEVNULL, stderr=stderr)
            told = wait_readable(START_S, ready, self.child.pidfd)
            if ready not in told:
                self.child.send(signal.SIGKILL)
                raise Ended(self.child.wait(), self.log())
        self.port = json.loads((self.home / "run/daemon.json").read_text())["port"]
        return self

    @property
    def pid(self):
        return self.child.pid

    def log(self):
        path = self.home / "stderr"
        return path.read_text(errors="replace") if path.exists() else ""

    def call(self, method, path, body=None, headers=None, timeout=CALL_S):
        headers = {"Authorization": "Bearer " + TOKEN, "Content-Type": "application/json",
                   **(headers or {})}
        return call(self.port, method, path, body, headers, timeout)

    def get(self, path):
        status, _, body = self.call("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {body.decode(errors='replace')}")
        return json.loads(body)

    def stop(self, number=signal.SIGTERM):
        return self.child.stop(number)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.child is not None and self.child.alive():
            self.child.stop()


class Background:
    """Runs a function on a thread; result() gives what it returned or raises what it raised."""

    def __init__(self, function):
        self._value, self._error = None, None

        def run():
            try:
                self._value = function()
            except BaseException as error:  # told by result()
                self._error = error
        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def result(self, seconds=CALL_S):
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise TimeoutError(f"no result after {seconds} s")
        if self._error is not None:
            raise self._error
        return self._value
