# SPDX-License-Identifier: Apache-2.0
"""A channel of OpenTalon's contract on Python's grpcio. A person is played by files, as in the Go
one: the lines of `say` in its folder become messages, answers go to `answers`; while there is a file
`armed`, the next answer makes it the next `say` and ends the process. While there is a pipe `hold`, an
answer opens it, waits for the end of `release` and removes it. The answers' keys go to `keys`."""
import os
import threading
from concurrent import futures

import grpc
from google.protobuf import empty_pb2
from opentalon.channel.v1 import channel_pb2 as pb

state = {}


def capabilities(request, context):
    return pb.ChannelCapabilities(id="py", name="A channel for tests", threads=True,
                                  max_message_length=40)


def configure(request, context):
    state["folder"] = request.config.fields["folder"].string_value
    state["name"] = request.instance_id
    return pb.ConfigureResponse()


def start(request, context):
    path = os.path.join(state["folder"], "say")
    lines = []
    if os.path.exists(path):
        lines = open(path).read().split("\n")
        os.unlink(path)
    for line in filter(None, lines):
        yield pb.InboundMessage(channel_id="not mine to say", conversation_id="room 1",
                                sender_id="u1", sender_name="Ada", content=line)
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait()


def send(request, context):
    hold = os.path.join(state["folder"], "hold")
    if os.path.exists(hold):
        with open(hold, "w"):
            with open(os.path.join(state["folder"], "release")) as release:
                release.read()
            os.unlink(hold)
    with open(os.path.join(state["folder"], "keys"), "a") as file:
        file.write(request.metadata["dedupe_key"] + "\n")
    with open(os.path.join(state["folder"], "answers"), "a") as file:
        file.write("%s/%s/%s: %s\n" % (state["name"], request.conversation_id, request.thread_id,
                                       request.content))
    armed = os.path.join(state["folder"], "armed")
    if os.path.exists(armed):
        os.rename(armed, os.path.join(state["folder"], "say"))
        os._exit(3)
    return pb.SendResponse()


def handler(kind, method, request):
    return kind(method, request_deserializer=request.FromString,
                response_serializer=lambda message: message.SerializeToString())


unary = grpc.unary_unary_rpc_method_handler
server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
    "opentalon.channel.v1.ChannelService", {
        "Capabilities": handler(unary, capabilities, empty_pb2.Empty),
        "Configure": handler(unary, configure, pb.ConfigureRequest),
        "Start": handler(grpc.unary_stream_rpc_method_handler, start, empty_pb2.Empty),
        "Send": handler(unary, send, pb.OutboundMessage),
    })])
server.add_insecure_port("unix:" + os.path.join(os.environ["OPENTALON_CHANNEL_SOCK_DIR"], "channel.sock"))
server.start()
server.wait_for_termination()
