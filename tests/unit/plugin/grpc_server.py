# SPDX-License-Identifier: Apache-2.0
"""A gRPC server by Python's grpcio: the peer of the interop tests. Usage: grpc_server.py SOCKET"""
import sys
import threading
from concurrent import futures

import grpc


class Handlers(grpc.GenericRpcHandler):
    def service(self, details):
        name = details.method.rsplit("/", 1)[1]
        method = getattr(self, name, None)
        kinds = {"Count": grpc.unary_stream_rpc_method_handler,
                 "Talk": grpc.stream_stream_rpc_method_handler}
        return kinds.get(name, grpc.unary_unary_rpc_method_handler)(method) if method else None

    def Echo(self, request, context):
        return request

    def Fail(self, request, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "naïve: " + request.decode())

    def Big(self, request, context):
        return b"x" * int(request)

    def Remaining(self, request, context):
        return str(context.time_remaining()).encode()

    def Count(self, request, context):
        for number in range(int(request)):
            yield str(number).encode()

    def Talk(self, requests, context):
        for request in requests:
            yield b"re: " + request


server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
server.add_generic_rpc_handlers((Handlers(),))
server.add_insecure_port("unix:" + sys.argv[1])
server.start()
print("ready", flush=True)
threading.Event().wait()
