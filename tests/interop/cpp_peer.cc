// SPDX-License-Identifier: Apache-2.0
// A plugin of talon's contract on grpc++'s sync server, with what the interop matrix calls.
//   interop_cpp_peer [--tcp]   with PLUGIN_CLIENT_CERT: mutual TLS with the certificate of
//   PEER_CERT, PEER_KEY and PEER_CERT_BASE64
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "talon/v1/plugin.grpc.pb.h"

namespace {

namespace v1 = talon::v1;

std::promise<void> g_asked_to_end;

class Service final : public v1::Plugin::Service {
  grpc::Status Execute(grpc::ServerContext* context, const v1::ExecuteRequest* request,
                       v1::ExecuteResponse* response) override {
    if (request->tool() == "fail") return {grpc::StatusCode::ABORTED, "naïve: 100%\nof it"};
    while (request->tool() == "wait" && !context->IsCancelled()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the sync API tells no end
    }
    response->set_call_id(request->call_id());
    response->set_content(request->arguments_json());
    return grpc::Status::OK;
  }
  grpc::Status ExecuteStream(grpc::ServerContext*, const v1::ExecuteRequest* request,
                             grpc::ServerWriter<v1::ExecuteUpdate>* out) override {
    const int count = std::stoi(request->arguments_json());
    for (int i = 0; i < count; ++i) {
      v1::ExecuteUpdate update;
      update.mutable_progress()->set_done(i);
      if (!out->Write(update)) break;
    }
    return grpc::Status::OK;
  }
  grpc::Status Converse(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::PluginMessage, v1::HostMessage>* stream) override {
    v1::HostMessage in;
    while (stream->Read(&in)) {
      v1::PluginMessage out;
      out.mutable_question()->set_text("re: " + in.call().arguments_json());
      stream->Write(out);
    }
    return grpc::Status::OK;
  }
  grpc::Status Shutdown(grpc::ServerContext*, const v1::ShutdownRequest*,
                        v1::ShutdownResponse*) override {
    g_asked_to_end.set_value();
    return grpc::Status::OK;
  }
};

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

int main(int argc, char** argv) {
  const bool tcp = argc > 1 && std::string(argv[1]) == "--tcp";
  const std::string path = Variable("PLUGIN_UNIX_SOCKET_DIR") + "/s";
  auto credentials = grpc::InsecureServerCredentials();
  std::string certificate;
  if (!Variable("PLUGIN_CLIENT_CERT").empty()) {
    grpc::SslServerCredentialsOptions options(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = Variable("PLUGIN_CLIENT_CERT");
    options.pem_key_cert_pairs.push_back({Variable("PEER_KEY"), Variable("PEER_CERT")});
    credentials = grpc::SslServerCredentials(options);
    certificate = Variable("PEER_CERT_BASE64");
  }
  Service service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(tcp ? "127.0.0.1:0" : "unix:" + path, credentials, &port);
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  const std::string address = tcp ? "tcp|127.0.0.1:" + std::to_string(port) : "unix|" + path;
  std::printf("1|1|%s|grpc|%s\n", address.c_str(), certificate.c_str());
  std::fflush(stdout);
  g_asked_to_end.get_future().wait();
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  std::quick_exit(0);
}
