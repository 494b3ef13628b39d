# SPDX-License-Identifier: Apache-2.0
"""The plugin without a process: Harness checks and calls it as the daemon would."""
import unittest

import talon_plugin
from plugin import GreeterPlugin


class GreeterTest(unittest.TestCase):
    def setUp(self):
        self.plugin = talon_plugin.Harness(GreeterPlugin(), {"greeting": "Moin"})

    def test_greets_by_name(self):
        self.assertEqual(self.plugin.call("greet", {"name": "Ada"}), "Moin, Ada!")

    def test_refuses_an_empty_name(self):
        with self.assertRaises(talon_plugin.ToolError):
            self.plugin.call("greet", {"name": ""})

    def test_wants_a_name(self):
        with self.assertRaises(ValueError):
            self.plugin.call("greet", {})

    def test_refuses_unknown_options(self):
        with self.assertRaises(ValueError):
            talon_plugin.Harness(GreeterPlugin(), {"greting": "Moin"})


if __name__ == "__main__":
    unittest.main()
