#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is asked at a real terminal: a tool's questions, answered, asked again, declined by Ctrl-C; and whether a
call may run, with a one-time code where money is meant.

terminal_test.py TALON MODEL_RULES TEST_PLUGIN
"""
import json
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time

TALON, MODEL_RULES, TEST_PLUGIN = sys.argv[1:4]
PATIENCE_S = 60
CONFIG = f"""
models:
  providers:
    local: {{api: plugin, plugin: rules, max_attempts: 1}}
plugins:
  rules:
    plugin: {MODEL_RULES}
    config:
      rules:
        - when: ask
          tool: t__talk
          arguments:
            script:
              - question: q
                text: "How many?"
                schema: '{{"type":"object","properties":{{"n":{{"type":"integer","title":"Number"}}}},"required":["n"]}}'
              - {{hear: 1}}
              - {{result: "heard "}}
        - {{when: peek, tool: t__echo, arguments: {{text: "from outside"}}}}
        - {{when: go on, tool: t__talk_write, arguments: {{script: [{{result: "it is done"}}]}}}}
        - {{when: invoice, tool: t__pay, arguments: {{to: "mallory", amount: 5}}}}
  t: {{plugin: {TEST_PLUGIN}}}
"""


def talk(home, arguments, steps):
    """Runs talon on a terminal: waits for each text in turn and types what belongs to it, or what that gives."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TALON_HOME=home, TERM="xterm")
        os.execv(TALON, ["talon", *arguments])
    unread = b""
    try:
        for text, typed in steps:
            give_up = time.monotonic() + PATIENCE_S
            while text not in unread:
                ready, _, _ = select.select([terminal], [], [], max(0, give_up - time.monotonic()))
                assert ready, f"{arguments}: no {text!r} in {unread!r}"
                unread += os.read(terminal, 4096)
            unread = unread.split(text, 1)[1]
            if typed:
                os.write(terminal, typed() if callable(typed) else typed)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def the_code():
    """As its file gives it, which nobody else may read."""
    (name,) = os.listdir(f"{home}/run/approvals")
    path = f"{home}/run/approvals/{name}"
    assert os.stat(path).st_mode & 0o777 == 0o600, oct(os.stat(path).st_mode)
    with open(path, "rb") as file:
        return file.readline().strip() + b"\r"


with tempfile.TemporaryDirectory() as home:
    with open(f"{home}/talon.yaml", "w") as file:
        file.write(CONFIG)
    talk(home, ["chat"], [
        (b"> ", b"ask me\r"),
        (b"t__talk of plugin 't' asks", b""),
        (b"Number: ", b"many\r"),
        (b"does not fit", b""),
        (b"Number: ", b"7\r"),
        (b'heard [q accept {"n":7}]', b"ask again\r"),
        (b"Number: ", b"\x03"),  # Ctrl-C declines the question, not the turn
        (b"heard [q decline ]", b""),
    ])
    talk(home, ["ask", "ask me"], [(b"Number: ", b"3\r"), (b'heard [q accept {"n":3}]', b"")])
    # Whether a call may run.
    talk(home, ["chat"], [
        (b"> ", b"peek\r"),
        (b"from outside", b""),
        (b"> ", b"go on\r"),
        (b"may run only with your word", b""),
        (b"do not ask for 't__talk_write'", b""),
        (b"? explains: ", b"\r"),  # no answer, and asked again
        (b"? explains: ", b"n\r"),
        (b"the user was asked and denied this call", b""),
        (b"> ", b"go on\r"),
        (b"? explains: ", b"\x03"),  # Ctrl-C denies the call, and the turn goes on
        (b"the user was asked and denied this call", b""),
        (b"> ", b"go on\r"),
        (b"? explains: ", b"y\r"),
        (b"it is done", b""),
        (b"> ", b"the invoice\r"),
        (b"may run only with your word", b""),
        (b"t__pay", b""),
        (b"mallory", b""),
        (b"code, n to deny, ? explains: ", b"nonsense\r"),
        (b"4 of 5 tries are left", b""),
        (b"code, n to deny, ? explains: ", the_code),
        (b"paid", b""),
    ])
    assert os.listdir(f"{home}/run/approvals") == []
    # Nobody can answer through a pipe.
    piped = subprocess.run([TALON, "ask", "-"], input=b"ask me", capture_output=True, timeout=PATIENCE_S,
                           env={**os.environ, "TALON_HOME": home}, check=True)
    assert b"heard [q decline ]" in piped.stdout, piped
    piped = subprocess.run([TALON, "ask", "-"], input=b"the invoice", capture_output=True, timeout=PATIENCE_S,
                           env={**os.environ, "TALON_HOME": home}, check=True)
    assert b"needs the user's approval, and nobody is there to ask" in piped.stdout, piped
    # The same of a call from the shell, which belongs to no turn.
    script = [{"progress": "half way", "done": 1, "total": 2}, {"question": "q", "text": "How many?",
              "schema": '{"type":"object","properties":{"n":{"type":"integer","title":"Number"}},"required":["n"]}'},
              {"hear": 1}, {"result": "heard "}]
    call = ["plugin", "run", "t", "talk", "script:=" + json.dumps(script)]
    talk(home, call, [(b"half way (50 %)", b""), (b"Number: ", b"4\r"), (b'heard [q accept {"n":4}]', b"")])
    talk(home, call, [(b"Number: ", b"\x03"), (b"heard [q decline ]", b"")])
    piped = subprocess.run([TALON, *call], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S,
                           env={**os.environ, "TALON_HOME": home}, check=True)
    assert b"heard [q decline ]" in piped.stdout, piped
print("6 conversations held")
