// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <fmt/format.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "chat.h"
#include "grpc_call.h"
#include "grpc_stream.h"
#include "talk.h"
#include "talon/v1/auth.grpc.pb.h"
#include "talon/v1/hook.grpc.pb.h"
#include "talon/v1/http.grpc.pb.h"
#include "talon/v1/model.grpc.pb.h"
#include "talon/v1/notify.grpc.pb.h"
#include "talon/v1/plugin.grpc.pb.h"
#include "talon/v1/schedule.grpc.pb.h"
#include "talon/v1/storage.grpc.pb.h"

namespace talon::sdk {
namespace {

class GrpcServer : public Server, public CallHost {
 public:
  GrpcServer(Dispatcher& dispatcher, Listening at, const ServeOptions& options,
             std::function<void()> on_shutdown)
      : dispatcher_(dispatcher),
        at_(std::move(at)),
        options_(options),
        on_shutdown_(std::move(on_shutdown)) {}

  ~GrpcServer() override {
    dispatcher_.StopWatching();
    {
      std::unique_lock lock(mutex_);
      stopping_ = true;
      changed_.wait_for(lock, options_.stop_grace, [this] { return under_way_ == 0; });
    }
    // At once: the polite way waits for an answer from the other side of the connection.
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
    {
      // The queue may close only when no call can touch it any more.
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return calls_ == 0; });
    }
    if (queue_) queue_->Shutdown();
    for (std::thread& thread : threads_) thread.join();
    void* tag = nullptr;
    bool ok = false;
    while (queue_ && queue_->Next(&tag, &ok)) {
    }
  }

  absl::Status Listen();

  bool BeginHandler(Counted counted) override {
    const std::lock_guard lock(mutex_);
    ++under_way_;
    if (--waiting_ == 0) AddThread();
    if (counted == Counted::kYes && ++running_ == options_.max_calls) return false;
    return !stopping_;
  }
  bool EndHandler(Counted counted) override {
    const std::lock_guard lock(mutex_);
    ++waiting_;
    return counted == Counted::kYes && running_-- == options_.max_calls && !stopping_;
  }
  void CallMade() override {
    const std::lock_guard lock(mutex_);
    ++calls_;
  }
  void CallGone(bool began) override {
    const std::lock_guard lock(mutex_);
    --calls_;
    if (began) --under_way_;
    changed_.notify_all();
  }
  grpc::ServerCompletionQueue* queue() override { return queue_.get(); }
  const std::string& caller_key() const override { return at_.caller_key; }

 private:
  void AddThread() {
    ++waiting_;
    threads_.emplace_back([this] {
      void* tag = nullptr;
      bool ok = false;
      while (queue_->Next(&tag, &ok)) static_cast<Event*>(tag)->Happened(ok);
    });
  }

  template <class Service>
  Service& AddService() {
    auto service = std::make_unique<Service>();
    Service& added = *service;
    services_.push_back(std::move(service));
    return added;
  }
  // `Service` is the base of the generated service that has the method.
  template <class Service, class Request, class Response>
  void AddUnary(std::type_identity_t<Service>& service,
                void (Service::*ask)(grpc::ServerContext*, Request*,
                                     grpc::ServerAsyncResponseWriter<Response>*,
                                     grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                typename UnaryMethod<Service, Request, Response>::Handler handler,
                Counted counted) {
    methods_.push_back(std::make_unique<UnaryMethod<Service, Request, Response>>(
        service, ask, std::move(handler), counted));
  }
  template <class Service, class Request, class Response>
  void AddStream(std::type_identity_t<Service>& service,
                 void (Service::*ask)(grpc::ServerContext*, Request*,
                                      grpc::ServerAsyncWriter<Response>*, grpc::CompletionQueue*,
                                      grpc::ServerCompletionQueue*, void*),
                 typename StreamMethod<Service, Request, Response>::Handler handler,
                 std::function<void()> ended, Counted counted) {
    methods_.push_back(std::make_unique<StreamMethod<Service, Request, Response>>(
        service, ask, std::move(handler), std::move(ended), counted));
  }
  template <class Service, class In, class Out>
  void AddDuplex(std::type_identity_t<Service>& service,
                 void (Service::*ask)(grpc::ServerContext*, grpc::ServerAsyncReaderWriter<Out, In>*,
                                      grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                 typename DuplexMethod<Service, In, Out>::Make make, Counted counted) {
    methods_.push_back(
        std::make_unique<DuplexMethod<Service, In, Out>>(service, ask, std::move(make), counted));
  }
  // A method of an extension point, answered by one of the functions in extensions.h.
  template <class Service, class Extension, class Request, class Response>
  void AddPoint(std::type_identity_t<Service>& service,
                void (Service::*ask)(grpc::ServerContext*, Request*,
                                     grpc::ServerAsyncResponseWriter<Response>*,
                                     grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                Extension& extension,
                absl::Status (*answer)(Extension&, const Request&, const CallInfo&, Response&)) {
    AddUnary(
        service, ask,
        [this, &extension, answer](const Request& request, const CallInfo& call,
                                   Response& response) {
          return dispatcher_.Ask(answer, extension, request, call, response);
        },
        Counted::kYes);
  }
  void AddPlugin();
  void AddExtensions();

  Dispatcher& dispatcher_;
  const Listening at_;
  const ServeOptions options_;
  const std::function<void()> on_shutdown_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::vector<std::unique_ptr<Method>> methods_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;

  std::mutex mutex_;  // guards what follows
  std::vector<std::thread> threads_;
  int waiting_ = 0;    // threads that are not in a handler
  int running_ = 0;    // counted handlers
  int under_way_ = 0;  // calls that have begun and are not over
  int calls_ = 0;      // Call objects: those and the ones that wait for a caller
  bool stopping_ = false;
  std::condition_variable changed_;
};

void GrpcServer::AddPlugin() {
  using Service = v1::Plugin::AsyncService;
  auto& service = AddService<Service>();
  AddUnary(
      service, &Service::RequestDescribe,
      [this](const v1::DescribeRequest&, const CallInfo&, v1::Manifest& manifest) {
        manifest = dispatcher_.Describe();
        return absl::OkStatus();
      },
      Counted::kNo);
  AddUnary(
      service, &Service::RequestConfigure,
      [this](const v1::ConfigureRequest& request, const CallInfo&, v1::ConfigureResponse&) {
        return dispatcher_.Configure(request);
      },
      Counted::kNo);
  AddUnary(
      service, &Service::RequestExecute,
      [this](const v1::ExecuteRequest& request, const CallInfo& call,
             v1::ExecuteResponse& response) {
        return dispatcher_.Execute(request, InfoOf(request, call), response);
      },
      Counted::kYes);
  AddStream(
      service, &Service::RequestExecuteStream,
      [this](const v1::ExecuteRequest& request, const CallInfo& call,
             Outlet<v1::ExecuteUpdate>& out) {
        return ExecuteTold(dispatcher_, request, call, out);
      },
      nullptr, Counted::kYes);
  AddDuplex(
      service, &Service::RequestConverse,
      [this](Outlet<v1::PluginMessage>& out) { return MakeConversation(dispatcher_, out); },
      Counted::kYes);
  AddStream(
      service, &Service::RequestWatch,
      [this](const v1::WatchRequest&, const CallInfo& call, Outlet<v1::PluginEvent>& out) {
        return dispatcher_.Watch(out, [&call] { return call.cancelled(); });
      },
      [this] { dispatcher_.WakeWatchers(); }, Counted::kNo);
  AddUnary(
      service, &Service::RequestShutdown,
      [this](const v1::ShutdownRequest&, const CallInfo&, v1::ShutdownResponse&) {
        on_shutdown_();
        return absl::OkStatus();
      },
      Counted::kNo);
}

void GrpcServer::AddExtensions() {
  const Extensions& have = dispatcher_.extensions();
  if (have.auth != nullptr) {
    using Service = v1::AuthProvider::AsyncService;
    auto& service = AddService<Service>();
    AddPoint(service, &Service::RequestAuthenticate, *have.auth, &Authenticate);
  }
  if (have.storage != nullptr) {
    using Service = v1::Storage::AsyncService;
    auto& service = AddService<Service>();
    AddPoint(service, &Service::RequestGet, *have.storage, &Get);
    AddPoint(service, &Service::RequestPut, *have.storage, &Put);
    AddPoint(service, &Service::RequestDelete, *have.storage, &Delete);
    AddPoint(service, &Service::RequestList, *have.storage, &List);
  }
  if (have.notify != nullptr) {
    using Service = v1::NotificationChannel::AsyncService;
    auto& service = AddService<Service>();
    AddPoint(service, &Service::RequestNotify, *have.notify, &Notify);
  }
  if (have.tasks != nullptr) {
    using Service = v1::ScheduledTask::AsyncService;
    auto& service = AddService<Service>();
    AddPoint(service, &Service::RequestRunTask, *have.tasks, &RunTask);
  }
  if (have.hook != nullptr) {
    using Service = v1::Hook::AsyncService;
    auto& service = AddService<Service>();
    AddPoint(service, &Service::RequestAdvise, *have.hook, &Advise);
  }
  if (have.http != nullptr) {
    using Service = v1::HttpEndpoint::AsyncService;
    auto& service = AddService<Service>();
    AddPoint(service, &Service::RequestHandle, *have.http, &Handle);
  }
  if (have.model != nullptr) {
    using Service = v1::ModelProvider::AsyncService;
    auto& service = AddService<Service>();
    AddStream(
        service, &Service::RequestComplete,
        [this, &model = *have.model](const v1::ChatRequest& request, const CallInfo& call,
                                     Outlet<v1::ChatDelta>& out) {
          return dispatcher_.Guarded([&] { return Complete(model, request, call, out); });
        },
        nullptr, Counted::kYes);
  }
}

absl::Status GrpcServer::Listen() {
  AddPlugin();
  AddExtensions();
  grpc::ResourceQuota quota("talon-plugin");
  quota.Resize(options_.max_memory_bytes);
  grpc::ServerBuilder builder;
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options_.max_request_bytes));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddListeningPort("unix:" + at_.socket_path, grpc::InsecureServerCredentials());
  for (const auto& service : services_) builder.RegisterService(service.get());
  queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (!server_) {
    return absl::UnavailableError(fmt::format("listen on '{}' failed", at_.socket_path));
  }
  for (const auto& method : methods_) method->Next(*this);
  const std::lock_guard lock(mutex_);
  AddThread();
  AddThread();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Dispatcher& dispatcher, Listening at,
                                                      const ServeOptions& options,
                                                      std::function<void()> on_shutdown) {
  auto server =
      std::make_unique<GrpcServer>(dispatcher, std::move(at), options, std::move(on_shutdown));
  if (absl::Status status = server->Listen(); !status.ok()) return status;
  return server;
}

}  // namespace talon::sdk
