// SPDX-License-Identifier: Apache-2.0
// Calls with many messages on gRPC's completion queue: while the handler runs on its thread,
// another sends what it gave. Internal to the SDK; included by server.cc only (it is heavy).
#pragma once

#include <grpcpp/support/async_stream.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "grpc_call.h"
#include "outlet.h"

namespace talon::sdk {

// A call whose handler sends any number of messages. `Stream`: grpc's writer. One operation on it
// at a time; the last one is the call's end, after which nothing of the object may be touched.
template <class Message, class Stream>
class SendingCall : public Call, public Outlet<Message> {
 public:
  using Call::Call;

  bool Send(Message message) override {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return over_ || queue_.size() < kMostQueued; });
    return Take(std::move(message), lock);
  }
  bool Post(Message message) override {
    std::unique_lock lock(mutex_);
    return Take(std::move(message), lock);
  }
  void PostLatest(Message message) override {
    std::unique_lock lock(mutex_);
    if (over_) return;
    latest_ = std::move(message);
    Go(lock);
  }

 protected:
  void Refuse(const absl::Status& why) override { End(why); }
  // The handler has ended; what it sent goes out first.
  void End(const absl::Status& status) {
    HandlerEnded();
    std::unique_lock lock(mutex_);
    end_ = ToGrpc(status);
    Go(lock);
  }

  Stream stream_{&context_};

 private:
  static constexpr std::size_t kMostQueued = 64;

  class Written : public Event {
   public:
    explicit Written(SendingCall& call) : call_(call) {}
    void Happened(bool ok) override {
      std::unique_lock lock(call_.mutex_);
      call_.writing_ = false;
      if (!ok) {
        call_.over_ = true;
        call_.queue_.clear();
        call_.latest_.reset();
      }
      call_.room_.notify_all();
      call_.Go(lock);
    }

   private:
    SendingCall& call_;
  };

  bool Take(Message message, std::unique_lock<std::mutex>& lock) {
    if (over_) return false;
    // What was told before stays before.
    if (latest_) queue_.push_back(*std::exchange(latest_, std::nullopt));
    queue_.push_back(std::move(message));
    Go(lock);
    return true;
  }

  // Starts the next operation, when there is one and none is under way. Unlocks.
  void Go(std::unique_lock<std::mutex>& lock) {
    if (writing_) return;
    std::optional<Message> next;
    if (!queue_.empty()) {
      next = std::move(queue_.front());
      queue_.pop_front();
    } else if (latest_) {
      next = *std::exchange(latest_, std::nullopt);
    }
    const bool last = end_ && queue_.empty() && !latest_;
    if (!next && !last) return;
    writing_ = true;
    const grpc::Status status = last ? *end_ : grpc::Status::OK;
    lock.unlock();
    if (!last) {
      stream_.Write(*next, static_cast<Event*>(&written_));
    } else if (next) {
      stream_.WriteAndFinish(*next, grpc::WriteOptions(), status, static_cast<Event*>(this));
    } else {
      stream_.Finish(status, static_cast<Event*>(this));
    }
  }

  std::mutex mutex_;  // guards what follows
  std::condition_variable room_;
  std::deque<Message> queue_;
  std::optional<Message> latest_;  // goes when the queue is empty
  std::optional<grpc::Status> end_;
  bool writing_ = false;
  bool over_ = false;  // nobody takes anything more
  Written written_{*this};
};

// One request, many answers.
template <class Service, class Request, class Response>
class StreamMethod : public Method {
 public:
  using Writer = grpc::ServerAsyncWriter<Response>;
  using Ask = void (Service::*)(grpc::ServerContext*, Request*, Writer*, grpc::CompletionQueue*,
                                grpc::ServerCompletionQueue*, void*);
  using Handler = std::function<absl::Status(const Request&, const CallInfo&, Outlet<Response>&)>;

  // `ended` runs when the call is over, while the handler may still run; may be empty.
  StreamMethod(Service& service, Ask ask, Handler handler, std::function<void()> ended,
               Counted counted)
      : Method(counted),
        service_(service),
        ask_(ask),
        handler_(std::move(handler)),
        ended_(std::move(ended)) {}

  void Next(CallHost& host) override {
    auto* call = new StreamCall(host, *this);
    (service_.*ask_)(&call->context_, &call->request_, &call->stream_, host.queue(), host.queue(),
                     static_cast<Event*>(call));
  }

 private:
  class StreamCall : public SendingCall<Response, Writer> {
   public:
    StreamCall(CallHost& host, StreamMethod& method)
        : SendingCall<Response, Writer>(host, method), own_(method) {}

   private:
    friend class StreamMethod;
    void Run(const CallInfo& info) override { this->End(own_.handler_(request_, info, *this)); }
    void Ended() override {
      if (own_.ended_) own_.ended_();
    }
    StreamMethod& own_;
    Request request_;
  };

  Service& service_;
  const Ask ask_;
  const Handler handler_;
  const std::function<void()> ended_;
};

// Messages both ways; the first of the daemon's begins the call.
template <class Service, class In, class Out>
class DuplexMethod : public Method {
 public:
  using Stream = grpc::ServerAsyncReaderWriter<Out, In>;
  using Ask = void (Service::*)(grpc::ServerContext*, Stream*, grpc::CompletionQueue*,
                                grpc::ServerCompletionQueue*, void*);
  using Make = std::function<std::unique_ptr<Inlet<In>>(Outlet<Out>&)>;

  DuplexMethod(Service& service, Ask ask, Make make, Counted counted)
      : Method(counted), service_(service), ask_(ask), make_(std::move(make)) {}

  void Next(CallHost& host) override {
    auto* call = new DuplexCall(host, *this);
    (service_.*ask_)(&call->context_, &call->stream_, host.queue(), host.queue(),
                     static_cast<Event*>(call));
  }

 private:
  class DuplexCall : public SendingCall<Out, Stream> {
   public:
    DuplexCall(CallHost& host, DuplexMethod& method)
        : SendingCall<Out, Stream>(host, method), inlet_(method.make_(*this)) {}

   private:
    friend class DuplexMethod;

    class Came : public Event {
     public:
      explicit Came(DuplexCall& call) : call_(call) {}
      void Happened(bool ok) override { call_.Read(ok); }

     private:
      DuplexCall& call_;
    };

    void Run(const CallInfo& info) override {
      this->Hold();  // for the reads
      stream_.Read(&message_, static_cast<Event*>(&came_));
      std::unique_lock lock(first_mutex_);
      first_came_.wait(lock, [this] { return first_ || reads_over_; });
      if (!first_) {
        lock.unlock();
        this->End(absl::InvalidArgumentError("the call has no first message"));
        return;
      }
      lock.unlock();
      this->End(inlet_->Run(*first_, info));
    }
    void Ended() override { inlet_->Ended(); }

    void Read(bool ok) {
      {
        const std::lock_guard lock(first_mutex_);
        if (!ok) {
          reads_over_ = true;
        } else if (!first_) {
          first_ = std::move(message_);
        } else {
          inlet_->Came(message_);
        }
        first_came_.notify_all();
      }
      // Whoever waits for an answer is woken by Ended(), which comes after the cancel flag.
      if (!ok) return this->Release();
      message_ = In();
      stream_.Read(&message_, static_cast<Event*>(&came_));
    }

    using SendingCall<Out, Stream>::stream_;
    const std::unique_ptr<Inlet<In>> inlet_;
    In message_;  // being read
    Came came_{*this};
    std::mutex first_mutex_;  // guards what follows
    std::condition_variable first_came_;
    std::optional<In> first_;
    bool reads_over_ = false;
  };

  Service& service_;
  const Ask ask_;
  const Make make_;
};

}  // namespace talon::sdk
