#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A plugin ends with a daemon that is killed, with and without a sandbox, by descriptor and as a script.

killed_test.py TALON TEST_PLUGIN
"""
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile

TALON, TEST_PLUGIN = sys.argv[1:3]
PATIENCE_S = 60
PLUGINS = {"confined": {}, "free": {"sandbox": {"profile": "none"}},
           "script": {"sandbox": {"profile": "none"}}}


def talon(home, *arguments):
    done = subprocess.run([TALON, "--json", *arguments], env={**os.environ, "TALON_HOME": home},
                          capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done
    return json.loads(done.stdout)["data"]


with tempfile.TemporaryDirectory() as home:
    script = pathlib.Path(home, "script")
    script.write_text(f'#!/bin/sh\nexec {TEST_PLUGIN} "$@"\n')
    script.chmod(0o755)
    # --orphan: it does nothing itself to end with its parent.
    entries = {name: {"plugin": str(script) if name == "script" else TEST_PLUGIN, "args": ["--orphan"], **more}
               for name, more in PLUGINS.items()}
    pathlib.Path(home, "talon.yaml").write_text(json.dumps({"plugins": entries, "gateway": {"http": {"port": 0}}}))
    daemon = subprocess.Popen([TALON, "serve"], env={**os.environ, "TALON_HOME": home}, stderr=subprocess.PIPE)
    ended = {}
    try:
        while b"listening" not in daemon.stderr.readline():
            assert daemon.poll() is None, "the daemon did not start"
        for name in PLUGINS:
            assert talon(home, "plugin", "run", name, "echo", "text=here")["text"] == "here", name
        for plugin in talon(home, "plugins")["plugins"]:
            if plugin["name"] in PLUGINS:
                ended[plugin["name"]] = os.pidfd_open(plugin["pid"])
        assert len(ended) == len(PLUGINS), ended
    finally:
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    for name, process in ended.items():
        assert select.select([process], [], [], PATIENCE_S)[0], f"{name} outlives the daemon"
print(f"{len(ended)} plugins ended with the daemon")
