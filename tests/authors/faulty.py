#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Python template with one fault. Copied into a project that `talon plugin new` made, whose modules
it uses. Usage: faulty.py FAULT"""
import os
import sys
import threading
import time

import grpc
import talon_plugin
from plugin import GreeterPlugin
from talon.v1 import plugin_pb2

fault = sys.argv[1]
service = talon_plugin._Service
entry = GreeterPlugin.greet.talon_tool
describe, execute = service.describe, service.execute
count = iter(range(1 << 30))
busy = threading.Lock()


def answer(change):
    """Execute whose answers go through `change`."""
    def changed(self, request, context):
        response = execute(self, request, context)
        return change(response) or response
    service.execute = changed


def tool(work):
    work.talon_tool, work.__name__ = entry, "greet"
    GreeterPlugin.greet = work


def manifest(change):
    def changed(self, request, context):
        told = describe(self, request, context)
        change(told)
        return told
    service.describe = changed


def overlapping(self, arguments, call):
    if not busy.acquire(blocking=False):
        raise RuntimeError("one call at a time")
    time.sleep(0.02)  # long enough for the next call to arrive
    busy.release()
    return "alone"


def dies_when_given_up(self, arguments, call):
    for _ in range(20):
        if call.cancelled():
            os._exit(6)
        time.sleep(0.005)
    return "done"


class NotServing(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == "/grpc.health.v1.Health/Check":
            return grpc.unary_unary_rpc_method_handler(lambda request, context: b"\x08\x02")
        return None


def lenient(self, request, context):
    return plugin_pb2.ExecuteResponse(call_id=request.call_id, content=b"anything goes")


def parse_or_die(data):
    request = plugin_pb2.ExecuteRequest()
    try:
        request.ParseFromString(data)
    except Exception:  # of protobuf
        os._exit(5)
    return request


class Fragile:
    """The messages, with one whose parser takes the process with it."""
    class ExecuteRequest:
        FromString = staticmethod(parse_or_die)


for name in dir(plugin_pb2):
    if not hasattr(Fragile, name):
        setattr(Fragile, name, getattr(plugin_pb2, name))

FAULTS = {
    "none": lambda: None,
    "noise": lambda: print("starting up", flush=True),
    "chatter": lambda: (setattr(os, "dup2", lambda *_: None),
                        answer(lambda response: print("served one", flush=True))),
    "unconfigurable": lambda: setattr(service, "configure", lambda *_: plugin_pb2.ConfigureResponse()),
    "dies_of_configuration": lambda: setattr(GreeterPlugin, "configure", lambda *_: os._exit(3)),
    "wrong_id": lambda: answer(lambda response: setattr(response, "call_id", "another")),
    "bad_utf8": lambda: answer(lambda response: setattr(response, "content", b"\xff\xfe")),
    "bad_structured": lambda: answer(lambda response: setattr(response, "structured_json", b"{")),
    "flood": lambda: answer(lambda response: setattr(response, "content", b"x" * (5 << 20))),
    "crash": lambda: tool(lambda *_: os._exit(4)),
    "raises": lambda: tool(lambda *_: 1 // 0),
    "hang": lambda: tool(lambda *_: threading.Event().wait(30)),
    "lenient": lambda: setattr(service, "execute", lenient),
    "overlapping": lambda: tool(overlapping),
    "dies_when_given_up": lambda: tool(dies_when_given_up),
    "fickle": lambda: (entry.update(idempotent=True), tool(lambda *_: str(next(count)))),
    "bad_schema": lambda: entry.update(schema={"type": "object", "properties": 7}),
    "bad_sink": lambda: entry.update(sink_arguments=["nowhere"]),
    "lying_effect": lambda: entry.update(effect="exec"),
    "no_description": lambda: entry.update(description=""),
    "bad_name": lambda: manifest(lambda told: setattr(told.tools[0], "name", "no name")),
    "no_protocol": lambda: manifest(lambda told: setattr(told, "protocol", 0)),
    "new_protocol": lambda: manifest(lambda told: setattr(told, "min_protocol", 99)),
    "changing": lambda: manifest(lambda told: setattr(told, "version", str(next(count)))),
    "not_served": lambda: manifest(lambda told: told.auth.schemes.append("bearer")),
    "dies_of_garbage": lambda: setattr(talon_plugin, "plugin_pb2", Fragile),
    "sick": lambda: setattr(GreeterPlugin, "add_services",
                            lambda self, server: server.add_generic_rpc_handlers((NotServing(),))),
}


FAULTS[fault]()
sys.argv[1:] = []
talon_plugin.main(GreeterPlugin())
