#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`talon plugin check`: good plugins pass, and each kind of fault is found. Usage:
check_test.py PREFIX TEST_PLUGIN"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PREFIX, TEST_PLUGIN = sys.argv[1], sys.argv[2]
del sys.argv[1:3]
HERE = pathlib.Path(__file__).parent
PYTHON = "/usr/bin/python3"
HAS_GRPC = subprocess.run([PYTHON, "-c", "import grpc, google.protobuf"], capture_output=True).returncode == 0

# Fault of faulty.py: the checks of which at least one must say "fail".
FAULTS = {
    "noise": {"start"},
    "chatter": {"stdout"},
    "unconfigurable": {"bad configuration"},
    "dies_of_configuration": {"alive", "configure"},
    "wrong_id": {"greet: answer"},
    "bad_utf8": {"greet: answer"},
    "bad_structured": {"greet: answer"},
    "flood": {"greet: answer"},
    "crash": {"greet: answer"},
    "raises": {"greet: answer"},
    "hang": {"greet: answer"},
    "lenient": {"unknown tool", "greet: missing argument", "greet: argument of another type"},
    "overlapping": {"greet: calls at once"},
    "dies_when_given_up": {"greet: calls given up"},
    "fickle": {"greet: idempotent"},
    "bad_schema": {"manifest"},
    "bad_sink": {"manifest"},
    "lying_effect": {"manifest"},
    "no_description": {"manifest"},
    "bad_name": {"describe"},
    "no_protocol": {"describe"},
    "new_protocol": {"describe"},
    "changing": {"describe"},
    "not_served": {"serves talon.v1.AuthProvider"},
    "dies_of_garbage": {"malformed request"},
    "sick": {"health"},
    "streams_unserved": {"greet: answer"},
    "bad_progress": {"greet: answer"},
    "asks_for_secrets": {"greet: answer"},
    "no_question_id": {"greet: answer"},
    "dies_when_hung_up": {"greet: given up at its first word"},
    "dies_when_declined": {"greet: questions declined"},
    "waits_for_ever": {"greet: questions nobody answers"},
    "no_result": {"greet: answer"},
    "two_results": {"greet: answer"},
}
# And of its ways that are none, with a check that must pass.
GOOD = {"none": "greet: answer", "streams": "ExecuteStream: unknown tool", "talks": "greet: questions declined"}
# The same for arguments of test_plugin.
TEST_PLUGIN_FAULTS = {
    "--exit 3": {"start"},
    "--silent": {"start"},
    "--print hello": {"start"},
    "--print 1|9|unix|/nowhere|grpc": {"start"},
    "--not-grpc": {"start", "describe"},
    "--refuse-config": {"configure"},
    "--stubborn": {"shutdown"},
}


class Check(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="talon-check-test-")
        cls.addClassCleanup(holder.cleanup)
        cls.home = pathlib.Path(holder.name)
        cls.environment = {**os.environ, "TALON_HOME": str(cls.home)}
        cls.project = cls.home / "greeter"
        subprocess.run([f"{PREFIX}/bin/talon", "plugin", "new", "greeter", "--lang", "python"], check=True,
                       cwd=cls.home, env=cls.environment, capture_output=True)
        shutil.copy(HERE / "faulty.py", cls.project)
        (cls.project / "faulty.py").chmod(0o755)

    def check(self, what, *arguments):
        done = subprocess.run([f"{PREFIX}/bin/talon", "plugin", "check", what, "--json", *arguments],
                              env=self.environment, capture_output=True, text=True, timeout=120)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        data = json.loads(done.stdout)["data"]
        self.assertEqual(data["passed"], done.returncode == 0)
        failed = {each["check"]: each["text"] for each in data["findings"] if each["verdict"] == "fail"}
        return failed, data["findings"]

    def configured(self, program, *arguments, **options):
        """Names `program` in talon.yaml."""
        entry = {"plugin": str(program), "args": list(arguments), "start_timeout": "3s",
                 "sandbox": {"read_paths": [str(self.project)]}, **options}
        (self.home / "talon.yaml").write_text(json.dumps({"plugins": {"suspect": entry}}))

    def test_bundled_plugins_pass(self):
        tokens = self.home / "tokens"
        tokens.mkdir(exist_ok=True)
        (tokens / "list").touch()
        # Two that say nothing without words of the operator.
        entries = {"auth_tokens": {"config": {"file": str(tokens / "list")},
                                   "sandbox": {"read_paths": [str(tokens)]}},
                   "hook_words": {"config": {"mask": ["secret"]}}}
        (self.home / "talon.yaml").write_text(json.dumps({"plugins": entries}))
        examples = [each.name for each in pathlib.Path(PREFIX, "lib/talon/examples").iterdir()]
        self.assertEqual(len(examples), 7, examples)
        for name in ("files", "shell", "http", "mcp", *sorted(examples)):
            with self.subTest(name):
                failed, findings = self.check(name)
                self.assertEqual(failed, {})
                self.assertIn("pass", {each["verdict"] for each in findings if each["check"] == "shutdown"})

    def test_a_plugin_in_a_folder_is_found_by_name(self):
        (self.home / "talon.yaml").unlink(missing_ok=True)
        folder = self.home / "plugins" / "files2"
        shutil.copytree(pathlib.Path(PREFIX, "lib/talon/plugins/files"), folder)
        (folder / "files").rename(folder / "files2")
        failed, findings = self.check("files2")
        self.assertEqual(failed, {})
        self.assertIn("pass", {each["verdict"] for each in findings if each["check"] == "shutdown"})

    def test_each_fault_is_found(self):
        if not HAS_GRPC:
            self.skipTest(f"{PYTHON} has no grpcio")
        for fault, expected in FAULTS.items():
            with self.subTest(fault):
                self.configured(self.project / "faulty.py", fault, timeout="2s")
                failed, _ = self.check("suspect")
                self.assertTrue(expected & set(failed), f"failed: {failed}")

    def test_what_keeps_the_contract_passes(self):
        if not HAS_GRPC:
            self.skipTest(f"{PYTHON} has no grpcio")
        for way, passing in GOOD.items():
            with self.subTest(way):
                self.configured(self.project / "faulty.py", way, timeout="2s")
                failed, findings = self.check("suspect")
                self.assertEqual(failed, {}, findings)
                self.assertIn(passing, {each["check"] for each in findings if each["verdict"] == "pass"})

    def test_it_runs_in_the_sandbox(self):
        if not HAS_GRPC:
            self.skipTest(f"{PYTHON} has no grpcio")
        path = str(self.project / "plugin.py")
        # Of a plugin of talon.yaml the module beside the script is not shown, and the way out is told.
        self.configured(path, sandbox={})
        failed, _ = self.check("suspect")
        self.assertIn("talon_plugin", failed["start"])
        self.assertIn("--read", failed["start"])
        self.assertEqual(self.check("suspect", "--read", str(self.project))[0], {})
        # A script that is tried by its path has its folder, to read.
        for arguments, said in (([], "profile default"), (["--sandbox", "strict"], "profile strict"),
                                (["--sandbox", "none"], "none")):
            failed, findings = self.check(path, *arguments)
            self.assertEqual(failed, {}, findings)
            self.assertIn(said, next(each["text"] for each in findings if each["check"] == "sandbox"))

    def test_each_fault_of_the_test_plugin_is_found(self):
        for words, expected in TEST_PLUGIN_FAULTS.items():
            with self.subTest(words):
                self.configured(TEST_PLUGIN, *words.split(" ", 1), timeout="2s",
                                start_timeout="1s" if expected == {"start"} else "3s")
                failed, _ = self.check("suspect")
                self.assertTrue(expected & set(failed), f"failed: {failed}")

    def test_a_wrong_file_beside_the_program_is_found(self):
        if not HAS_GRPC:
            self.skipTest(f"{PYTHON} has no grpcio")
        folder = self.home / "lied"
        shutil.copytree(self.project, folder)
        (folder / "manifest.json").write_text('{"protocol": 1, "name": "greeter", "version": "7"}')
        failed, _ = self.check(str(folder / "plugin.py"))
        self.assertEqual(set(failed), {"manifest.json"})

    def test_options_reach_the_plugin(self):
        if not HAS_GRPC:
            self.skipTest(f"{PYTHON} has no grpcio")
        path = str(self.project / "plugin.py")
        self.assertEqual(self.check(path, "--config", '{"greeting": "Moin"}')[0], {})
        failed, _ = self.check(path, "--config", '{"greting": "Moin"}')
        self.assertIn("greting", failed["configure"])

    def test_a_script_is_inspected_with_what_stands_beside_it(self):
        if not HAS_GRPC:
            self.skipTest(f"{PYTHON} has no grpcio")
        inspect = [f"{PREFIX}/bin/talon", "plugin", "inspect"]
        done = subprocess.run([*inspect, "./plugin.py"], cwd=self.project, env=self.environment,
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertIn("greet", done.stdout)
        done = subprocess.run([*inspect, "/bin/true"], env=self.environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn('{"time"', done.stderr)

    def test_what_is_no_plugin(self):
        failed, _ = self.check("/bin/true")
        self.assertIn("/bin/true", failed["start"])
        done = subprocess.run([f"{PREFIX}/bin/talon", "plugin", "check", "nobody"], env=self.environment,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("'nobody'", done.stderr)


unittest.main(verbosity=2)
