#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`talon plugin new`: what it makes, and what it refuses. Usage: new_test.py PREFIX"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TALON = sys.argv.pop(1) + "/bin/talon"


class New(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="talon-new-")
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def new(self, *arguments):
        return subprocess.run([TALON, "plugin", "new", *arguments], cwd=self.folder, text=True,
                              capture_output=True, env={**os.environ, "TALON_HOME": str(self.folder)})

    def test_replaces_the_name_everywhere(self):
        for language in ("cpp", "go", "python"):
            done = self.new("rain-gauge", "--lang", language, "--dir", f"at/{language}")
            self.assertEqual(done.returncode, 0, done.stderr)
            files = [path for path in (self.folder / "at" / language).rglob("*") if path.is_file()]
            self.assertGreater(len(files), 6)
            for path in files:
                text = path.read_text()
                self.assertNotIn("greeter", text.lower(), path)
                self.assertNotIn("SPDX", text, path)
            self.assertIn("rain-gauge", (self.folder / "at" / language / "README.md").read_text())

    def test_names_the_sdk_beside_the_program(self):
        self.assertEqual(self.new("one").returncode, 0)
        presets = json.loads((self.folder / "one/CMakeUserPresets.json").read_text())
        prefix = presets["configurePresets"][0]["cacheVariables"]["CMAKE_PREFIX_PATH"]
        self.assertEqual(f"{prefix}/bin/talon", os.path.realpath(TALON))

    def test_a_script_is_executable(self):
        self.assertEqual(self.new("one", "--lang", "python").returncode, 0)
        self.assertTrue(os.access(self.folder / "one/plugin.py", os.X_OK))
        self.assertFalse(os.access(self.folder / "one/README.md", os.X_OK))

    def test_never_overwrites(self):
        (self.folder / "mine").mkdir()
        (self.folder / "mine/plugin.cc").write_text("precious")
        done = self.new("mine")
        self.assertEqual(done.returncode, 1)
        self.assertIn("is there already", done.stderr)
        self.assertEqual((self.folder / "mine/plugin.cc").read_text(), "precious")
        self.assertEqual([path.name for path in (self.folder / "mine").iterdir()], ["plugin.cc"])

    def test_refuses_names(self):
        for name in ("talon", "Rain", "a__b", "../up", "9lives", "x" * 33, "dash-", "a b"):
            done = self.new("--", name)
            self.assertEqual(done.returncode, 2, f"{name}: {done.stdout}{done.stderr}")
        self.assertEqual(list(self.folder.iterdir()), [])
        self.assertEqual(self.new("fine", "--lang", "cobol").returncode, 2)

    def test_tells_scripts_what_it_made(self):
        done = self.new("two", "--json", "--lang", "go")
        data = json.loads(done.stdout)["data"]
        self.assertEqual(data["folder"], "two")
        self.assertIn("two/main.go", data["files"])


unittest.main(verbosity=2)
