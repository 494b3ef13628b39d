# SPDX-License-Identifier: Apache-2.0
"""A plugin of OpenTalon's contract on Python's grpcio. --no-init: older, without Init and refresh.
--old: of the time before gRPC, which prints the same handshake and wants length-prefixed JSON."""
import json
import os
import signal
import socket
import struct
import sys
import tempfile
from concurrent import futures

path = os.path.join(tempfile.mkdtemp(prefix="opentalon-plugin-"), "plugin.sock")

if "--old" in sys.argv:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    print("1|unix|" + path, flush=True)
    peer, _ = listener.accept()
    (size,) = struct.unpack(">I", peer.recv(4))
    if size > 1 << 20:
        sys.exit("message too large: %d" % size)
    sys.exit(0)

import grpc
from google.protobuf import empty_pb2
from opentalon.plugin.v1 import plugin_pb2 as pb

config = {}


def init(request, context):
    config.update(json.loads(request.config_json))
    if config.get("refuse"):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "this configuration is refused")
    return empty_pb2.Empty()


def capabilities(request, context):
    return pb.PluginCapabilities(name="python-peer", description="Says what it was told.", actions=[
        pb.Action(name="echo", description="Says its arguments.", read_only=True,
                  parameters=[pb.Parameter(name="text", type="string", required=True)])])


def execute(request, context):
    return pb.ToolResultResponse(call_id=request.id, content=json.dumps(
        {"args": dict(request.args), "config": config}, sort_keys=True))


def handler(method, request):
    return grpc.unary_unary_rpc_method_handler(
        method, request_deserializer=request.FromString,
        response_serializer=lambda message: message.SerializeToString())


methods = {"Capabilities": handler(capabilities, empty_pb2.Empty),
           "Execute": handler(execute, pb.ToolCallRequest)}
if "--no-init" not in sys.argv:
    methods["Init"] = handler(init, pb.PluginInitRequest)
server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
server.add_generic_rpc_handlers([
    grpc.method_handlers_generic_handler("opentalon.plugin.v1.PluginService", methods)])
server.add_insecure_port("unix:" + path)
server.start()
# What stopped it is told where the test can see it.
signal.signal(signal.SIGINT, lambda *_: (open("stopped-by-sigint", "w").close(), os._exit(0)))
print("1|unix|" + path, flush=True)
server.wait_for_termination()
