# SPDX-License-Identifier: Apache-2.0
"""Serves a plugin of the contract talon.v1 to the daemon that started it.

Derive from Plugin, mark methods with @tool, end with main(MyPlugin()). The messages in talon/v1 are
generated from the contract; for another extension point generate its .proto likewise (protoc
--python_out) and add its service in add_services().
"""
import ctypes
import json
import os
import signal
import sys
import threading
from concurrent import futures

import grpc
from google.protobuf import json_format

from talon.v1 import plugin_pb2

PROTOCOL = 1  # of talon.v1
MAX_CALLS = 16  # at once; further ones wait
STOP_GRACE_S = 1.0  # for calls under way at the end
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict}


class ToolError(Exception):
    """The call failed; the text says why and what to do, for the model to read."""


class Folders:
    """Where a plugin may work, and its secrets, which belong neither in logs nor in results."""

    def __init__(self, workspace="", data="", credentials=None):
        self.workspace, self.data, self.credentials = workspace, data, credentials or {}


class Call:
    """One call: its ids, and whether anybody still waits for the answer."""

    def __init__(self, call_id="", session_id="", idempotency_key="", context=None):
        self.call_id, self.session_id, self.idempotency_key = call_id, session_id, idempotency_key
        self._context = context

    def cancelled(self):
        return self._context is not None and not self._context.is_active()

    def time_left(self):
        """Seconds to the deadline; None without one."""
        return None if self._context is None else self._context.time_remaining()


def tool(**manifest):
    """Marks a method (self, arguments: dict, call: Call) -> str as a tool. `effect` is read, write,
    send, exec, spend or admin; the other names are those of ToolManifest in the contract."""

    def mark(method):
        method.talon_tool = dict(manifest)
        return method

    return mark


class Plugin:
    name = version = description = ""
    needs = {}  # of the sandbox, as in the contract: {"network": "NETWORK_OUTBOUND"}

    def configure(self, config, folders):
        if config:
            raise ValueError(f"option {min(config)!r} is not known; this plugin has none")

    def add_services(self, server):
        """Adds services beside Plugin, for extension points (and their member in manifest())."""

    def tools(self):
        methods = (getattr(self, name) for name in dir(type(self)))
        return {method.__name__: method for method in methods if hasattr(method, "talon_tool")}

    def manifest(self):
        manifest = plugin_pb2.Manifest(protocol=PROTOCOL, name=self.name, version=self.version,
                                       description=self.description)
        json_format.ParseDict(self.needs, manifest.needs)
        for name, method in self.tools().items():
            given = dict(method.talon_tool)
            schema, effect = given.pop("schema"), given.pop("effect", "exec")
            manifest.tools.add(name=name, schema_json=json.dumps(schema),
                               effect="EFFECT_CLASS_" + effect.upper(), **given)
        return manifest


def check_arguments(schema, arguments):
    """Known names, required ones, types; the daemon checks the rest of the schema. ValueError."""
    if not isinstance(arguments, dict):
        raise ValueError("the arguments are no JSON object")
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in arguments:
            raise ValueError(f"argument {name!r} is missing")
    for name, value in arguments.items():
        if name not in properties:
            if schema.get("additionalProperties", True) is False:
                raise ValueError(f"argument {name!r} is not known; known are: {', '.join(properties)}")
            continue
        wanted = properties[name].get("type")
        is_bool = isinstance(value, bool)
        if isinstance(wanted, str) and (not isinstance(value, TYPES.get(wanted, object))
                                        or is_bool and wanted != "boolean"):
            raise ValueError(f"argument {name!r} is not of type {wanted}")


def execute(plugin, name, arguments, call):
    """The text of one call. KeyError: no such tool; ValueError: wrong arguments; ToolError."""
    method = plugin.tools()[name]
    check_arguments(method.talon_tool["schema"], arguments)
    return method(arguments, call)


class Harness:
    """Configures and calls a plugin in a test, without a process."""

    def __init__(self, plugin, config=None, folders=None):
        self.plugin = plugin
        plugin.manifest()
        plugin.configure(config or {}, folders or Folders())

    def call(self, name, arguments):
        return execute(self.plugin, name, arguments, Call("test"))


class _Service(grpc.GenericRpcHandler):
    def __init__(self, plugin, stop):
        self._plugin, self._stop = plugin, stop
        self._methods = {
            "/talon.v1.Plugin/Describe": (self.describe, plugin_pb2.DescribeRequest),
            "/talon.v1.Plugin/Configure": (self.configure, plugin_pb2.ConfigureRequest),
            "/talon.v1.Plugin/Execute": (self.execute, plugin_pb2.ExecuteRequest),
            "/talon.v1.Plugin/Shutdown": (self.shutdown, plugin_pb2.ShutdownRequest),
        }

    def service(self, details):
        if details.method not in self._methods:
            return None
        method, request = self._methods[details.method]
        return grpc.unary_unary_rpc_method_handler(
            method, request_deserializer=request.FromString,
            response_serializer=lambda response: response.SerializeToString())

    def describe(self, request, context):
        return self._plugin.manifest()

    def configure(self, request, context):
        try:
            config = json.loads(request.config_json or b"{}")
            if not isinstance(config, dict):
                raise ValueError("the configuration is no JSON object")
            self._plugin.configure(config, Folders(request.workspace, request.data_directory,
                                                   dict(request.credentials)))
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return plugin_pb2.ConfigureResponse()

    def execute(self, request, context):
        response = plugin_pb2.ExecuteResponse(call_id=request.call_id)
        call = Call(request.call_id, request.session_id, request.idempotency_key, context)
        if request.tool not in self._plugin.tools():
            context.abort(grpc.StatusCode.NOT_FOUND, f"tool {request.tool!r} is not known")
        try:
            arguments = json.loads(request.arguments_json or b"{}")
            response.content = execute(self._plugin, request.tool, arguments, call).encode(errors="replace")
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except ToolError as error:
            response.error = (str(error) or "the tool failed").encode(errors="replace")
        return response

    def shutdown(self, request, context):
        if not context.add_callback(self._stop.set):  # once the answer is on its way
            self._stop.set()
        return plugin_pb2.ShutdownResponse()


class _FromDaemon(grpc.ServerInterceptor):
    """Whoever does not send the key of this start with a call is not the daemon."""

    def __init__(self, key):
        self._key = key
        self._refused = grpc.unary_unary_rpc_method_handler(lambda request, context: context.abort(
            grpc.StatusCode.UNAUTHENTICATED, "this plugin answers the daemon that started it"))

    def intercept_service(self, continuation, details):
        sent = [value for name, value in details.invocation_metadata if name == "talon-caller-key"]
        return continuation(details) if sent == [self._key] else self._refused


def _serve(plugin):
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: ends with the daemon
    if os.getppid() != parent:
        return
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # belongs to the daemon's terminal
    path = f"{os.environ['PLUGIN_UNIX_SOCKET_DIR']}/p{os.getpid()}"
    os.umask(0o077)
    key = os.environ.pop("TALON_CALLER_KEY", "")  # what the plugin starts does not get it
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=MAX_CALLS),
                         interceptors=[_FromDaemon(key)] if key else [])
    server.add_generic_rpc_handlers((_Service(plugin, stop),))
    plugin.add_services(server)
    server.add_insecure_port("unix:" + path)
    server.start()
    print(f"1|{PROTOCOL}|unix|{path}|grpc", flush=True)
    os.dup2(2, 1)  # what is printed from here on goes to the daemon's log
    while not stop.wait(timeout=3600):
        pass
    server.stop(STOP_GRACE_S).wait()
    if os.path.exists(path):
        os.unlink(path)
    os._exit(0)  # a handler that ignores its end does not keep the process


def main(plugin):
    if sys.argv[1:] == ["--manifest"]:
        print(json_format.MessageToJson(plugin.manifest()))
        return
    if os.environ.get("TALON_PLUGIN_COOKIE") != "talon-plugin-v1":
        sys.exit(f"{plugin.name}: this is a plugin of talon. The daemon starts it; run by hand it only "
                 "knows --manifest.")
    _serve(plugin)
