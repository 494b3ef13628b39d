# SPDX-License-Identifier: Apache-2.0
"""Figures of a daemon that has nothing to do: start, memory, wake-ups, open connections."""

import json
import os
import pathlib
import select
import signal
import socket
import time

import process_info
from figures import Figure
from programs import TOKEN, Daemon, Mock, call, config, temp_folder

STARTS = 15
CONNECTIONS = 1000
WARM_CONNECTIONS = 50
SOCKET_S = 30
WORKER_S = 12  # a worker thread ends after 10 s without work


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def once_healthy(bench, home):
    """Milliseconds from the spawn to the first 200 of /health, and those of them on a processor."""
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TALON_HOME": str(home),
                   "TALON_GATEWAY_HTTP_PORT": str(port), "TALON_LOG_LEVEL": "error"}
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    program = str(bench.programs.talon)
    begin = time.perf_counter()
    pid = os.posix_spawn(program, [program, "serve"], environment)
    try:
        while True:
            if time.perf_counter() - begin > SOCKET_S:
                raise TimeoutError("not healthy")
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) != 0:
                    continue
                client.sendall(request)
                if client.recv(64).startswith(b"HTTP/1.1 200"):
                    return (time.perf_counter() - begin) * 1000, process_info.cpu_ms(pid)
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def cold_start(bench):
    with temp_folder() as folder:
        first = sorted(once_healthy(bench, folder / f"new{i}")[0] for i in range(STARTS))
        again, cpu = zip(*(once_healthy(bench, folder / "new0") for _ in range(STARTS)))
    conditions = f"exec to the first 200 of /health, default configuration, median of {STARTS}"
    return [Figure("cold_start", sorted(again)[STARTS // 2], "ms", "<= 50", conditions),
            Figure("cold_start_cpu", sorted(cpu)[STARTS // 2], "ms", "<= 50",
                   "of which on a processor: no other load changes it", steady=True),
            Figure("cold_start_first", first[STARTS // 2], "ms", "",
                   "the same with a new home folder: token, database")]


def settle():
    """Longer than a worker thread waits for more to do."""
    time.sleep(WORKER_S)


def idle(bench):
    """The default configuration: no talon.yaml, the bundled plugins known, none running."""
    with temp_folder() as folder:
        with Daemon(bench.programs, folder / "home", None,
                    {"TALON_GATEWAY_HTTP_PORT": "0", "TALON_LOG_LEVEL": "error"}) as daemon:
            call(daemon.port, "GET", "/health")
            settle()
            rss, private = process_info.memory_mb(daemon.pid)
            woken, threads = watch(daemon.pid, bench.window_s)
    conditions = "default configuration, listening, no plugin running"
    return [Figure("idle_rss", rss, "MB", "<= 25", conditions, steady=True),
            Figure("idle_private", private, "MB", "<= 8", "of which private: written to", steady=True),
            Figure("idle_wake_ups", woken, "", "= 0", f"context switches in {bench.window_s} s",
                   steady=True),
            Figure("idle_threads", threads, "", "1-3", conditions, steady=True)]


def watch(pid, seconds):
    before = process_info.switches(pid)
    time.sleep(seconds)
    after = process_info.switches(pid)
    return process_info.switches_between(before, after), len(after)


class Client:
    """A connection that is opened, answered once and then left open."""

    def __init__(self, port, request, expect):
        self.socket = socket.create_connection(("127.0.0.1", port), SOCKET_S)
        self.socket.sendall(request)
        self.said = b""
        while expect not in self.said:
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionError(f"closed: {self.said[:200]!r}")
            self.said += piece

    def open(self):
        """Nothing more came, neither bytes nor an end."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return not poll.poll(0)

    def close(self):
        self.socket.close()


def requests(body):
    head = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    keep_alive = f"GET /health HTTP/1.1\r\n{head}\r\n".encode()
    stream = (f"POST /v1/turns HTTP/1.1\r\n{head}Idempotency-Key: bench\r\n"
              f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}")
    return keep_alive, stream.encode()


def connections(bench):
    """Half of them idle after a request, half streams of one turn whose model does not answer."""
    script = pathlib.Path(bench.folder) / "hang.yaml"
    script.write_text(json.dumps({"rules": [{"match": {}, "answer": "never",
                                             "delivery": {"hang": True}}]}))
    body = json.dumps({"message": "wait", "session": "bench", "stream": True})
    keep_alive, stream = requests(body)
    with temp_folder() as folder, Mock(bench.programs, "--script", script) as mock, \
            Daemon(bench.programs, folder / "home", config(mock.url)) as daemon:
        def client(number):
            if number % 2:
                return Client(daemon.port, stream, b"turn_start")
            return Client(daemon.port, keep_alive, b'"ok"')
        clients = [client(number) for number in range(WARM_CONNECTIONS)]
        before, _ = process_info.memory_mb(daemon.pid)
        clients += [client(number) for number in range(CONNECTIONS)]
        settle()
        after, _ = process_info.memory_mb(daemon.pid)
        woken, _ = watch(daemon.pid, bench.window_s)
        served = sum(one.open() for one in clients[WARM_CONNECTIONS:])
        still = call(daemon.port, "GET", "/health")[0] == 200
        for one in clients:
            one.close()
    conditions = f"{CONNECTIONS} open: half keep-alive, half event streams of one waiting turn"
    return [Figure("connections_served", served if still else 0, "", f"= {CONNECTIONS}",
                   conditions, steady=True),
            Figure("connection_memory", (after - before) * 1024 / CONNECTIONS, "KB", "<= 10",
                   "resident, each", steady=True),
            Figure("connections_wake_ups", woken, "", "= 0",
                   f"context switches in {bench.window_s} s", steady=True)]
