# SPDX-License-Identifier: Apache-2.0
"""A plugin of talon's contract on Python's grpcio, with what the interop matrix calls."""
import os
import sys
import threading
from concurrent import futures

import grpc
from talon.v1 import plugin_pb2 as pb


def execute(request, context):
    if request.tool == "fail":
        context.abort(grpc.StatusCode.ABORTED, "naïve: 100%\nof it")
    if request.tool == "wait":
        ended = threading.Event()
        context.add_callback(ended.set)
        ended.wait()
    return pb.ExecuteResponse(call_id=request.call_id, content=request.arguments_json)


def execute_stream(request, context):
    for number in range(int(request.arguments_json)):
        yield pb.ExecuteUpdate(progress=pb.Progress(done=number))


def converse(messages, context):
    for message in messages:
        yield pb.PluginMessage(question=pb.Question(text=b"re: " + message.call.arguments_json))


def shutdown(request, context):
    # Not here: the server would wait for this very call.
    threading.Thread(target=lambda: server.stop(1).wait() and os._exit(0)).start()
    return pb.ShutdownResponse()


def handler(kind, method, request):
    return kind(method, request_deserializer=request.FromString,
                response_serializer=lambda message: message.SerializeToString())


server = grpc.server(futures.ThreadPoolExecutor(max_workers=80),
                     options=[("grpc.max_receive_message_length", -1),
                              ("grpc.max_send_message_length", -1)])
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("talon.v1.Plugin", {
    "Execute": handler(grpc.unary_unary_rpc_method_handler, execute, pb.ExecuteRequest),
    "ExecuteStream": handler(grpc.unary_stream_rpc_method_handler, execute_stream, pb.ExecuteRequest),
    "Converse": handler(grpc.stream_stream_rpc_method_handler, converse, pb.HostMessage),
    "Shutdown": handler(grpc.unary_unary_rpc_method_handler, shutdown, pb.ShutdownRequest),
})])
if "--tcp" in sys.argv:
    address = "tcp|127.0.0.1:%d" % server.add_insecure_port("127.0.0.1:0")
else:
    path = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], "s")
    server.add_insecure_port("unix:" + path)
    address = "unix|" + path
server.start()
print("1|1|%s|grpc" % address, flush=True)
server.wait_for_termination()
