// SPDX-License-Identifier: Apache-2.0
// Calls on gRPC's completion queue, generic over services: what a call is, and the unary kind. One
// object a call; it deletes itself when its last step and its end have been seen. Internal to the
// SDK; included by server.cc only (it is heavy).
#pragma once

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "talon/sdk/call.h"

namespace talon::sdk {

grpc::Status ToGrpc(const absl::Status& status);

// What a completion belongs to: each call has one tag for its steps and one for its end.
class Event {
 public:
  virtual ~Event() = default;
  virtual void Happened(bool ok) = 0;
};

// Whether the calls of a method count against ServeOptions::max_calls.
enum class Counted { kNo, kYes };

// What a call needs of the server.
class CallHost {
 public:
  virtual ~CallHost() = default;
  // Around a handler. Begin makes sure that somebody still waits for events. Both answer whether
  // the method takes its next call now: Begin no when the limit is reached, End yes when Begin said
  // no.
  virtual bool BeginHandler(Counted counted) = 0;
  virtual bool EndHandler(Counted counted) = 0;
  virtual void CallMade() = 0;
  virtual void CallGone(bool began) = 0;
  virtual grpc::ServerCompletionQueue* queue() = 0;
  // What every call must carry; empty: nothing.
  virtual const std::string& caller_key() const = 0;
};

// One method of one service, as long as the server lives.
class Method {
 public:
  explicit Method(Counted counted) : counted_(counted) {}
  virtual ~Method() = default;
  // Asks for the next call.
  virtual void Next(CallHost& host) = 0;
  Counted counted() const { return counted_; }

 private:
  const Counted counted_;
};

// One call from the request to its end.
class Call : public Event {
 public:
  Call(CallHost& host, Method& method);
  ~Call() override;

  void Happened(bool ok) override;

 protected:
  virtual void Run(const CallInfo& info) = 0;        // runs the handler and sends the answer
  virtual void Refuse(const absl::Status& why) = 0;  // instead
  void HandlerEnded();                               // before the answer is sent
  // The call is over for the caller; its handler may still run.
  virtual void Ended() {}
  // One more operation of which the end must be seen before the call is deleted, and that end.
  void Hold() { ++open_ends_; }
  void Release() {
    if (--open_ends_ == 0) delete this;
  }

  CallHost& host_;
  grpc::ServerContext context_;

 private:
  bool FromDaemon() const;

  class Done : public Event {
   public:
    explicit Done(Call& call) : call_(call) {}
    void Happened(bool) override {
      if (call_.context_.IsCancelled()) call_.cancel_->Set();
      call_.Ended();
      call_.Release();
    }

   private:
    Call& call_;
  };

  Method& method_;
  Done done_;
  std::shared_ptr<CancelFlag> cancel_ = std::make_shared<CancelFlag>();
  bool started_ = false;
  std::atomic<int> open_ends_ = 2;
};

template <class Service, class Request, class Response>
class UnaryMethod : public Method {
 public:
  // The generated service's Request<Method>().
  using Ask = void (Service::*)(grpc::ServerContext*, Request*,
                                grpc::ServerAsyncResponseWriter<Response>*, grpc::CompletionQueue*,
                                grpc::ServerCompletionQueue*, void*);
  using Handler = std::function<absl::Status(const Request&, const CallInfo&, Response&)>;

  UnaryMethod(Service& service, Ask ask, Handler handler, Counted counted)
      : Method(counted), service_(service), ask_(ask), handler_(std::move(handler)) {}

  void Next(CallHost& host) override {
    auto* call = new UnaryCall(host, *this);
    (service_.*ask_)(&call->context_, &call->request_, &call->writer_, host.queue(), host.queue(),
                     static_cast<Event*>(call));
  }

 private:
  class UnaryCall : public Call {
   public:
    UnaryCall(CallHost& host, UnaryMethod& method)
        : Call(host, method), handler_(method.handler_) {}

   private:
    friend class UnaryMethod;
    void Run(const CallInfo& info) override {
      const absl::Status status = handler_(request_, info, response_);
      if (!status.ok()) return Refuse(status);
      HandlerEnded();
      // The call may be over and deleted as soon as it is answered: nothing of it is touched after.
      writer_.Finish(response_, grpc::Status::OK, static_cast<Event*>(this));
    }
    void Refuse(const absl::Status& why) override {
      HandlerEnded();
      writer_.FinishWithError(ToGrpc(why), static_cast<Event*>(this));
    }

    const Handler& handler_;  // the method's
    Request request_;
    Response response_;
    grpc::ServerAsyncResponseWriter<Response> writer_{&context_};
  };

  Service& service_;
  const Ask ask_;
  const Handler handler_;
};

}  // namespace talon::sdk
