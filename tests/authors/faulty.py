#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Python template with one fault, or without one: "none", "streams" and "talks" keep the contract. Copied into a project that `talon plugin new` made, whose modules
it uses. Usage: faulty.py FAULT"""
import json
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


class Talking(grpc.GenericRpcHandler):
    """The tool told by ExecuteStream and Converse, with one fault of the names below."""

    def __init__(self, fault):
        self.fault = fault

    def service(self, details):
        name = details.method.rpartition("/")[2]
        kind, work, request = {
            "ExecuteStream": (grpc.unary_stream_rpc_method_handler, self.stream, plugin_pb2.ExecuteRequest),
            "Converse": (grpc.stream_stream_rpc_method_handler, self.converse, plugin_pb2.HostMessage),
        }.get(name, (None, None, None))
        return kind and kind(work, request_deserializer=request.FromString,
                             response_serializer=lambda message: message.SerializeToString())

    def stream(self, call, context):
        self.admit(call, context)
        yield plugin_pb2.ExecuteUpdate(progress=self.progress())
        yield plugin_pb2.ExecuteUpdate(result=self.result(call))

    def converse(self, messages, context):
        call = next(messages).call
        self.admit(call, context)
        finished = []
        if self.fault == "dies_when_hung_up":
            context.add_callback(lambda: finished or os._exit(7))
        yield plugin_pb2.PluginMessage(progress=self.progress())
        schema = {"properties": {"password" if self.fault == "asks_for_secrets" else "sure": {"type": "boolean"}}}
        yield plugin_pb2.PluginMessage(question=plugin_pb2.Question(
            id="" if self.fault == "no_question_id" else "1", text=b"Really?",
            schema_json=json.dumps({"type": "object", **schema}).encode()))
        answer = next(messages, None)
        if answer is None:
            return
        if self.fault == "dies_when_declined" and answer.answer.action == plugin_pb2.ANSWER_ACTION_DECLINE:
            os._exit(8)
        if self.fault == "waits_for_ever" and answer.answer.action == plugin_pb2.ANSWER_ACTION_CANCEL:
            next(messages, None)
        if self.fault == "no_result":
            return
        finished.append(True)
        yield plugin_pb2.PluginMessage(result=self.result(call))
        if self.fault == "two_results":
            yield plugin_pb2.PluginMessage(result=self.result(call))

    def admit(self, call, context):
        if call.tool != "greet":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such tool")
        try:
            talon_plugin.check_arguments(entry["schema"], json.loads(call.arguments_json))
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    def progress(self):
        return plugin_pb2.Progress(text=b"\xff" if self.fault == "bad_progress" else b"half", done=1, total=2)

    def result(self, call):
        return plugin_pb2.ExecuteResponse(call_id=call.call_id, content=b"Hello!")


def talk(way, fault):
    entry.update({way: True})
    GreeterPlugin.add_services = lambda self, server: server.add_generic_rpc_handlers((Talking(fault),))


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
    "streams": lambda: talk("streams", ""),
    "talks": lambda: talk("asks", ""),
    "streams_unserved": lambda: entry.update(streams=True),
    "bad_progress": lambda: talk("streams", "bad_progress"),
    **{name: lambda name=name: talk("asks", name)
       for name in ("asks_for_secrets", "no_question_id", "dies_when_hung_up", "dies_when_declined",
                    "waits_for_ever", "no_result", "two_results")},
    "sick": lambda: setattr(GreeterPlugin, "add_services",
                            lambda self, server: server.add_generic_rpc_handlers((NotServing(),))),
}


FAULTS[fault]()
sys.argv[1:] = []
talon_plugin.main(GreeterPlugin())
