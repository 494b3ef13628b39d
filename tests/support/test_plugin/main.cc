// SPDX-License-Identifier: Apache-2.0
// Serves the test plugin, or misbehaves before it does: see README.md.
#include <google/protobuf/util/json_util.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "extensions.h"
#include "lies.h"
#include "talk.h"
#include "talon/v1/plugin.grpc.pb.h"
#include "tools.h"

namespace talon::test_plugin {
namespace {

struct Mode {
  bool manifest = false, silent = false, not_grpc = false, extra_tool = false;
  bool refuse_config = false, stubborn = false, orphan = false, dynamic = false;
  int exit_code = -1;
  std::string print, lie;
  bool lies = false;
};

v1::Manifest ManifestOf(const Mode& mode) {
  v1::Manifest manifest = MakeManifest(mode.extra_tool);
  manifest.set_dynamic(mode.dynamic);
  manifest.set_watch(mode.dynamic);
  if (!mode.lie.empty()) AddExtensions(manifest);
  return manifest;
}

class Service final : public v1::Plugin::Service {
 public:
  explicit Service(const Mode& mode) : mode_(mode) {}

  grpc::Status Describe(grpc::ServerContext*, const v1::DescribeRequest*,
                        v1::Manifest* manifest) override {
    const std::lock_guard lock(mutex_);
    *manifest = ManifestOf(mode_);
    AddNamed(names_, *manifest);
    Lie(mode_.lie, *manifest);
    return grpc::Status::OK;
  }
  grpc::Status Configure(grpc::ServerContext*, const v1::ConfigureRequest* request,
                         v1::ConfigureResponse*) override {
    if (mode_.refuse_config) return {grpc::StatusCode::INVALID_ARGUMENT, "config: refused"};
    configured_ = *request;
    if (mode_.dynamic) TakeNames(request->config_json());
    return grpc::Status::OK;
  }
  grpc::Status Execute(grpc::ServerContext*, const v1::ExecuteRequest* request,
                       v1::ExecuteResponse* response) override {
    if (request->tool() == "dyn_set") TakeNames(request->arguments_json());
    const Failure failure = test_plugin::Execute(*request, configured_, *response);
    Lie(mode_.lie, *response);
    return StatusOf(failure);
  }
  grpc::Status ExecuteStream(grpc::ServerContext*, const v1::ExecuteRequest* request,
                             grpc::ServerWriter<v1::ExecuteUpdate>* writer) override {
    const auto say = [&](const v1::PluginMessage& message) {
      v1::ExecuteUpdate update;
      if (message.has_progress()) {
        *update.mutable_progress() = message.progress();
        Lie(mode_.lie, *update.mutable_progress());
      }
      if (message.has_result()) *update.mutable_result() = message.result();
      return writer->Write(update);
    };
    return StatusOf(RunScript(*request, {.say = say, .hear = [](v1::Answer*) { return false; }}));
  }
  grpc::Status Converse(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::PluginMessage, v1::HostMessage>* stream) override {
    v1::HostMessage first;
    if (!stream->Read(&first) || !first.has_call()) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "the first message is no call"};
    }
    const auto hear = [&](v1::Answer* answer) {
      v1::HostMessage message;
      if (!stream->Read(&message)) return false;
      *answer = message.answer();
      return true;
    };
    return StatusOf(RunScript(first.call(), {.say =
                                                 [&](v1::PluginMessage message) {
                                                   if (message.has_question())
                                                     Lie(mode_.lie, *message.mutable_question());
                                                   return stream->Write(message);
                                                 },
                                             .hear = hear}));
  }
  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchRequest*,
                     grpc::ServerWriter<v1::PluginEvent>* writer) override {
    v1::PluginEvent changed;
    changed.mutable_tools_changed();
    while (mode_.lie == kEndlessEvents && writer->Write(changed)) {
    }
    std::unique_lock lock(mutex_);
    int told = 0;
    while (!context->IsCancelled()) {
      changed_.wait_for(lock, std::chrono::milliseconds(20));  // sees a cancellation soon
      if (told == changes_) continue;
      told = changes_;
      v1::PluginEvent event;
      event.mutable_tools_changed();
      if (!writer->Write(event)) break;
    }
    return grpc::Status::OK;
  }
  grpc::Status Shutdown(grpc::ServerContext*, const v1::ShutdownRequest*,
                        v1::ShutdownResponse*) override {
    if (!mode_.stubborn) _exit(0);
    return grpc::Status::OK;
  }

 private:
  static grpc::Status StatusOf(const Failure& failure) {
    if (failure.code == 0) return grpc::Status::OK;
    return {static_cast<grpc::StatusCode>(failure.code), failure.message};
  }
  void TakeNames(const std::string& json) {
    const auto parsed = nlohmann::json::parse(json, nullptr, false);
    const std::lock_guard lock(mutex_);
    names_ = parsed.value("names", std::vector<std::string>());
    ++changes_;
    changed_.notify_all();
  }

  const Mode mode_;
  v1::ConfigureRequest configured_;  // written once, before the first Execute
  std::mutex mutex_;                 // guards what follows
  std::condition_variable changed_;
  std::vector<std::string> names_;  // of a dynamic plugin's tools
  int changes_ = 0;
};

Mode ParseArguments(int argc, char** argv) {
  Mode mode;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::string next = i + 1 < argc ? argv[i + 1] : "";
    if (argument == "--manifest") mode.manifest = true;
    if (argument == "--silent") mode.silent = true;
    if (argument == "--not-grpc") mode.not_grpc = true;
    if (argument == "--extra-tool") mode.extra_tool = true;
    if (argument == "--refuse-config") mode.refuse_config = true;
    if (argument == "--stubborn") mode.stubborn = true;
    if (argument == "--orphan") mode.orphan = true;
    if (argument == "--dynamic") mode.dynamic = true;
    if (argument == "--exit") mode.exit_code = std::atoi(next.c_str());
    if (argument == "--lies") mode.lies = true;
    if (argument == "--lie") mode.lie = next;
    if (next == kEndlessEvents) mode.dynamic = true;
    if (argument == "--print") mode.print = next;
  }
  return mode;
}

void Greet(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

[[noreturn]] void WaitForEver() {
  while (true) pause();
}

[[noreturn]] void ServeGarbage(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) _exit(4);
  listen(listener, 4);
  Greet("1|1|unix|" + path + "|grpc");
  const int connection = accept(listener, nullptr, nullptr);
  constexpr char kText[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
  (void)send(connection, kText, sizeof(kText) - 1, MSG_NOSIGNAL);
  WaitForEver();
}

[[noreturn]] void Serve(const Mode& mode, const std::string& path) {
  Service service(mode);
  grpc::ServerBuilder builder;
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetMaxSendMessageSize(-1);
  builder.AddListeningPort("unix:" + path, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  std::vector<std::unique_ptr<grpc::Service>> extensions;
  if (!mode.lie.empty()) extensions = MakeExtensions(mode.lie);
  for (const auto& each : extensions) builder.RegisterService(each.get());
  const auto server = builder.BuildAndStart();
  if (!server) _exit(4);
  Greet("1|1|unix|" + path + "|grpc");
  WaitForEver();
}

int Main(int argc, char** argv) {
  const Mode mode = ParseArguments(argc, argv);
  const rlimit no_core{};
  setrlimit(RLIMIT_CORE, &no_core);
  if (mode.manifest) {
    std::string json;
    (void)google::protobuf::util::MessageToJsonString(ManifestOf(mode), &json);
    Greet(json);
    return 0;
  }
  if (mode.lies) {
    for (const std::string& lie : AllLies()) Greet(lie);
    return 0;
  }
  if (!mode.orphan) prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (mode.stubborn) std::signal(SIGTERM, SIG_IGN);
  if (mode.exit_code >= 0) {
    std::fprintf(stderr, "exiting as told\n");
    return mode.exit_code;
  }
  if (!mode.print.empty()) Greet(mode.print);
  if (!mode.print.empty() || mode.silent) WaitForEver();
  const char* folder = std::getenv("PLUGIN_UNIX_SOCKET_DIR");
  if (folder == nullptr || std::getenv("TALON_PLUGIN_COOKIE") == nullptr) {
    std::fprintf(stderr, "the daemon starts this plugin\n");
    return 1;
  }
  const std::string path = std::string(folder) + "/s";
  if (mode.not_grpc) ServeGarbage(path);
  Serve(mode, path);
}

}  // namespace
}  // namespace talon::test_plugin

int main(int argc, char** argv) {
  return talon::test_plugin::Main(argc, argv);
}
