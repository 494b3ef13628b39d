# SPDX-License-Identifier: Apache-2.0
"""The daemon is killed between an answer and its delivery to a chat channel: the next one delivers
it under the same key, and the one after that not again.
  channel_kill.py --build FOLDER --stubs FOLDER"""

import argparse
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support/programs"))
from programs import Daemon, Programs, config  # noqa: E402

PATIENCE_S = 60
PYTHON = "/usr/bin/python3"  # of the channel: it needs Debian's grpcio


def outbox(home):
    database = sqlite3.connect(f"file:{home / 'talon.db'}?mode=ro", uri=True)
    try:
        return database.execute("SELECT outbox.state, attempts, turns.state FROM outbox "
                                "JOIN turns ON turns.no = outbox.turn ORDER BY turn").fetchall()
    finally:
        database.close()


def expect(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, not {wanted!r}")


def run(programs, stubs, folder):
    os.mkfifo(folder / "hold")
    os.mkfifo(folder / "release")
    (folder / "say").write_text("help\n")
    settings = config(more={"channels": {"chat": {
        "plugin": PYTHON, "args": [str(HERE / "python/opentalon_channel.py")],
        "env": {"PYTHONPATH": str(stubs), "PYTHONDONTWRITEBYTECODE": "1"},
        "start_timeout": "30s", "config": {"folder": str(folder)},
        "sandbox": {"write_paths": [str(folder)],
                    "read_paths": [str(stubs), str(HERE / "python")]}}}})
    daemon = Daemon(programs, folder / "home", settings).start()
    with open(folder / "hold") as hold:  # opens once the channel was given the answer
        daemon.stop(signal.SIGKILL)
        expect(hold.read(), "", "the channel of the killed daemon ends")
    expect((folder / "answers").exists(), False, "the answer is not out")
    expect(outbox(daemon.home), [("pending", 0, "completed")], "after the kill")

    release(folder, daemon.start())
    until(daemon, [("delivered", 1, "completed")])
    answers = (folder / "answers").read_text()
    expect(daemon.stop(), 0, "ordered stop")

    # Nothing is left to deliver: what is asked next is answered first.
    os.mkfifo(folder / "hold")
    (folder / "say").write_text("help\n")
    release(folder, daemon.start())
    until(daemon, [("delivered", 1, "completed"), ("delivered", 0, "completed")])
    expect(daemon.stop(), 0, "ordered stop")
    expect((folder / "answers").read_text(), answers * 2, "two answers in all")
    keys = (folder / "keys").read_text().split()
    expect(len(set(keys)), len(keys), f"each piece has one key: {keys}")
    expect(len(keys), 2 * answers.count("chat/room 1/"), "each piece has a key")


def release(folder, daemon):
    """Lets the channel take the answer it holds."""
    with open(folder / "hold"):
        open(folder / "release", "w").close()


def until(daemon, wanted):
    end = time.monotonic() + PATIENCE_S
    while outbox(daemon.home) != wanted:
        if time.monotonic() > end:
            raise AssertionError(f"not {wanted}: {outbox(daemon.home)}\n{daemon.log()}")
        daemon.get("/v1/status")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--stubs", required=True)
    options = parser.parse_args()
    grpc = subprocess.run([PYTHON, "-c", "import grpc"], capture_output=True, text=True)
    if grpc.returncode != 0:
        print(f"skipped: {PYTHON}: {grpc.stderr.splitlines()[-1]}")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        run(Programs(options.build), pathlib.Path(options.stubs).resolve(), pathlib.Path(folder))
    print("delivered once after the kill")
    return 0


sys.exit(main())
