// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <fmt/format.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "talon/v1/plugin.grpc.pb.h"

namespace talon::sdk {
namespace {

using Service = v1::Plugin::AsyncService;

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto message = status.message();
  return {static_cast<grpc::StatusCode>(status.code()),
          std::string(message.data(), message.size())};
}

CallInfo::Clock::time_point SteadyDeadline(const grpc::ServerContext& context) {
  using std::chrono::system_clock;
  const system_clock::time_point deadline = context.deadline();
  const system_clock::time_point now = system_clock::now();
  if (deadline > now + std::chrono::hours(24 * 365)) return CallInfo::Clock::time_point::max();
  return CallInfo::Clock::now() + (deadline - now);
}

// What a completion belongs to: each call has one tag for its steps and one for its end.
class Event {
 public:
  virtual ~Event() = default;
  virtual void Happened(bool ok) = 0;
};

class GrpcServer;

// One call from the request to its end. Deletes itself when both its last step and its end have
// been seen.
class Call : public Event {
 public:
  explicit Call(GrpcServer& server);
  ~Call() override;

  void Happened(bool ok) override;

 protected:
  virtual void Accept() = 0;                      // asks for the next call of this method
  virtual void Run(const CallInfo& info) = 0;     // runs the handler and sends the answer
  virtual bool counted() const { return false; }  // against ServeOptions::max_calls

  GrpcServer& server_;
  grpc::ServerContext context_;

 private:
  class Done : public Event {
   public:
    explicit Done(Call& call) : call_(call) {}
    void Happened(bool) override {
      if (call_.context_.IsCancelled()) call_.cancel_->Set();
      call_.Release();
    }

   private:
    Call& call_;
  };

  void Release() {
    if (--open_ends_ == 0) delete this;
  }

  Done done_;
  std::shared_ptr<CancelFlag> cancel_ = std::make_shared<CancelFlag>();
  bool started_ = false;
  std::atomic<int> open_ends_ = 2;
};

class GrpcServer : public Server {
 public:
  GrpcServer(Dispatcher& dispatcher, const ServeOptions& options, std::function<void()> on_shutdown)
      : dispatcher_(dispatcher), options_(options), on_shutdown_(std::move(on_shutdown)) {}

  ~GrpcServer() override {
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

  absl::Status Listen(const std::string& socket_path);

  // Around a handler. Begin makes sure that somebody still waits for events. Both answer whether
  // the method takes its next call now: Begin no when the limit is reached, End yes when Begin said
  // no.
  bool BeginHandler(bool counted) {
    const std::lock_guard lock(mutex_);
    ++under_way_;
    if (--waiting_ == 0) AddThread();
    if (counted && ++running_ == options_.max_calls) return false;
    return !stopping_;
  }
  bool EndHandler(bool counted) {
    const std::lock_guard lock(mutex_);
    ++waiting_;
    return counted && running_-- == options_.max_calls && !stopping_;
  }

  void CallMade() {
    const std::lock_guard lock(mutex_);
    ++calls_;
  }
  void CallGone(bool began) {
    const std::lock_guard lock(mutex_);
    --calls_;
    if (began) --under_way_;
    changed_.notify_all();
  }

  Dispatcher& dispatcher() { return dispatcher_; }
  Service& service() { return service_; }
  grpc::ServerCompletionQueue* queue() { return queue_.get(); }
  void ShutdownAsked() { on_shutdown_(); }

 private:
  void AddThread() {
    ++waiting_;
    threads_.emplace_back([this] {
      void* tag = nullptr;
      bool ok = false;
      while (queue_->Next(&tag, &ok)) static_cast<Event*>(tag)->Happened(ok);
    });
  }

  Dispatcher& dispatcher_;
  const ServeOptions options_;
  const std::function<void()> on_shutdown_;
  Service service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;

  std::mutex mutex_;  // guards what follows
  std::vector<std::thread> threads_;
  int waiting_ = 0;    // threads that are not in a handler
  int running_ = 0;    // Execute handlers
  int under_way_ = 0;  // calls that have begun and are not over
  int calls_ = 0;      // Call objects: those and the ones that wait for a caller
  bool stopping_ = false;
  std::condition_variable changed_;
};

Call::Call(GrpcServer& server) : server_(server), done_(*this) {
  server_.CallMade();
  context_.AsyncNotifyWhenDone(static_cast<Event*>(&done_));
}

Call::~Call() {
  server_.CallGone(started_);
}

void Call::Happened(bool ok) {
  if (started_) return Release();  // the answer is out, or the connection is gone
  if (!ok) {  // the server stops; the end of a call that never began is not told
    delete this;
    return;
  }
  started_ = true;
  if (server_.BeginHandler(counted())) Accept();
  CallInfo info(cancel_, SteadyDeadline(context_));
  Run(info);
}

template <class Request, class Response>
class UnaryCall : public Call {
 public:
  using Ask = void (Service::*)(grpc::ServerContext*, Request*,
                                grpc::ServerAsyncResponseWriter<Response>*, grpc::CompletionQueue*,
                                grpc::ServerCompletionQueue*, void*);
  using Call::Call;

 protected:
  template <class Derived>
  static void AcceptNext(GrpcServer& server, Ask ask) {
    auto* call = new Derived(server);
    (server.service().*ask)(&call->context_, &call->request_, &call->writer_, server.queue(),
                            server.queue(), static_cast<Event*>(call));
  }

  void Answer(const absl::Status& status) {
    if (server_.EndHandler(counted())) Accept();
    // The call may be over and deleted as soon as it is answered: nothing of it is touched after.
    if (status.ok()) {
      writer_.Finish(response_, grpc::Status::OK, static_cast<Event*>(this));
    } else {
      writer_.FinishWithError(ToGrpc(status), static_cast<Event*>(this));
    }
  }

  Request request_;
  Response response_;
  grpc::ServerAsyncResponseWriter<Response> writer_{&context_};
};

class DescribeCall : public UnaryCall<v1::DescribeRequest, v1::Manifest> {
 public:
  using UnaryCall::UnaryCall;
  static void Next(GrpcServer& s) { AcceptNext<DescribeCall>(s, &Service::RequestDescribe); }

 private:
  void Accept() override { Next(server_); }
  void Run(const CallInfo&) override {
    response_ = server_.dispatcher().Describe();
    Answer(absl::OkStatus());
  }
};

class ConfigureCall : public UnaryCall<v1::ConfigureRequest, v1::ConfigureResponse> {
 public:
  using UnaryCall::UnaryCall;
  static void Next(GrpcServer& s) { AcceptNext<ConfigureCall>(s, &Service::RequestConfigure); }

 private:
  void Accept() override { Next(server_); }
  void Run(const CallInfo&) override { Answer(server_.dispatcher().Configure(request_)); }
};

class ExecuteCall : public UnaryCall<v1::ExecuteRequest, v1::ExecuteResponse> {
 public:
  using UnaryCall::UnaryCall;
  static void Next(GrpcServer& s) { AcceptNext<ExecuteCall>(s, &Service::RequestExecute); }

 private:
  void Accept() override { Next(server_); }
  bool counted() const override { return true; }
  void Run(const CallInfo& base) override {
    CallInfo info = base;
    info.call_id = request_.call_id();
    info.session_id = request_.session_id();
    info.idempotency_key = request_.idempotency_key();
    Answer(server_.dispatcher().Execute(request_, info, response_));
  }
};

class ShutdownCall : public UnaryCall<v1::ShutdownRequest, v1::ShutdownResponse> {
 public:
  using UnaryCall::UnaryCall;
  static void Next(GrpcServer& s) { AcceptNext<ShutdownCall>(s, &Service::RequestShutdown); }

 private:
  void Accept() override { Next(server_); }
  void Run(const CallInfo&) override {
    GrpcServer& server = server_;
    Answer(absl::OkStatus());
    server.ShutdownAsked();
  }
};

absl::Status GrpcServer::Listen(const std::string& socket_path) {
  grpc::ResourceQuota quota("talon-plugin");
  quota.Resize(options_.max_memory_bytes);
  grpc::ServerBuilder builder;
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options_.max_request_bytes));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddListeningPort("unix:" + socket_path, grpc::InsecureServerCredentials());
  builder.RegisterService(&service_);
  queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (!server_) {
    return absl::UnavailableError(fmt::format("listen on '{}' failed", socket_path));
  }
  DescribeCall::Next(*this);
  ConfigureCall::Next(*this);
  ExecuteCall::Next(*this);
  ShutdownCall::Next(*this);
  const std::lock_guard lock(mutex_);
  AddThread();
  AddThread();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Dispatcher& dispatcher,
                                                      const std::string& socket_path,
                                                      const ServeOptions& options,
                                                      std::function<void()> on_shutdown) {
  auto server = std::make_unique<GrpcServer>(dispatcher, options, std::move(on_shutdown));
  if (absl::Status status = server->Listen(socket_path); !status.ok()) return status;
  return server;
}

}  // namespace talon::sdk
