#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A plugin for talon. talon_plugin.py speaks with the daemon; the tools are here."""
import talon_plugin


class GreeterPlugin(talon_plugin.Plugin):
    name = "greeter"
    version = "0.1.0"
    description = "Greets people."
    greeting = "Hello"

    def configure(self, config, folders):
        """Called once before any call. A ValueError refuses the configuration."""
        unknown = set(config) - {"greeting"}
        if unknown:
            raise ValueError(f"option {min(unknown)!r} is not known; known is: greeting")
        self.greeting = config.get("greeting", self.greeting)
        if not isinstance(self.greeting, str) or not self.greeting:
            raise ValueError("option 'greeting' is not a text")

    @talon_plugin.tool(
        description="Greets somebody by name.",
        schema={
            "type": "object",
            "properties": {"name": {"type": "string", "description": "Whom to greet"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        effect="read",
        read_only=True,
    )
    def greet(self, arguments, call):
        # Calls run on several threads at once. A ToolError is for the model to read.
        if not arguments["name"]:
            raise talon_plugin.ToolError("argument 'name' is empty; say whom to greet")
        return f"{self.greeting}, {arguments['name']}!"


if __name__ == "__main__":
    talon_plugin.main(GreeterPlugin())
