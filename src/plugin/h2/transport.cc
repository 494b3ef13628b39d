// SPDX-License-Identifier: Apache-2.0
// PluginTransport over nghttp2 on the event loop: one Unix socket, one pending read, a pending
// write only while the peer does not keep up, a timer only per call with a deadline.
#include "plugin/transport.h"

#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "plugin/h2/call.h"
#include "plugin/h2/link.h"
#include "plugin/h2/socket.h"
#include "plugin/h2/wire.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kMaxQuotedAddress = 200;

using h2::Link;

// A call of one message each way.
io::Task<absl::StatusOr<std::string>> CallOnce(std::shared_ptr<Link> link, std::string method,
                                               std::string request, CallContext context) {
  h2::Call call(std::move(link), std::move(context));
  TALON_CO_RETURN_IF_ERROR(call.Open(method));
  TALON_CO_RETURN_IF_ERROR(call.Send(std::move(request)));
  TALON_CO_ASSIGN_OR_RETURN(auto answer, co_await call.Read());
  if (!answer) co_return h2::Misbehaved("the answer has no message");
  TALON_CO_ASSIGN_OR_RETURN(const auto more, co_await call.Read());
  if (more) co_return h2::Misbehaved("the answer has more than one message");
  co_return *std::move(answer);
}

class H2Stream : public PluginStream {
 public:
  explicit H2Stream(std::shared_ptr<h2::Call> call) : call_(std::move(call)) {}
  ~H2Stream() override { call_->End(Cancelled("the stream was dropped")); }
  io::Task<absl::Status> Write(std::string message) override {
    return WriteTo(call_, std::move(message));
  }
  void CloseWrites() override { call_->CloseWrites(); }
  io::Task<absl::StatusOr<std::optional<std::string>>> Read() override { return ReadFrom(call_); }

 private:
  static io::Task<absl::Status> WriteTo(std::shared_ptr<h2::Call> call, std::string message) {
    co_return co_await call->Write(std::move(message));
  }
  static io::Task<absl::StatusOr<std::optional<std::string>>> ReadFrom(
      std::shared_ptr<h2::Call> call) {
    co_return co_await call->Read();
  }

  std::shared_ptr<h2::Call> call_;  // shared with those who wait in it
};

class H2Transport : public PluginTransport {
 public:
  explicit H2Transport(std::shared_ptr<Link> link) : link_(std::move(link)) {}
  ~H2Transport() override {
    link_->OnClosed(nullptr);
    link_->Close(h2::ConnectionEnded("the connection was closed"));
  }
  io::Task<absl::StatusOr<std::string>> Call(std::string_view method, std::string request,
                                             CallContext context) override {
    return CallOnce(link_, std::string(method), std::move(request), std::move(context));
  }
  absl::StatusOr<std::unique_ptr<PluginStream>> Open(std::string_view method,
                                                     CallContext context) override {
    auto call = std::make_shared<h2::Call>(link_, std::move(context));
    TALON_RETURN_IF_ERROR(call->Open(method));
    link_->Flush();
    return std::make_unique<H2Stream>(std::move(call));
  }
  bool alive() const override { return link_->end().ok() && !link_->session().draining(); }
  std::size_t calls_in_flight() const override { return link_->session().calls(); }
  void OnClosed(absl::AnyInvocable<void()> callback) override {
    link_->OnClosed(std::move(callback));
  }

 private:
  std::shared_ptr<Link> link_;  // shared with the operations that end after us
};

std::string Attempt(const Endpoint& endpoint) {
  const bool tcp = endpoint.network == Endpoint::Network::kTcp;
  return fmt::format("connect to plugin {} '{}'", tcp ? "address" : "socket",
                     h2::CleanText(endpoint.address, kMaxQuotedAddress));
}

}  // namespace

io::Task<absl::StatusOr<std::unique_ptr<PluginTransport>>> Connect(io::Loop& loop,
                                                                   Endpoint endpoint,
                                                                   TransportLimits limits,
                                                                   CallContext context) {
  const std::string attempt = Attempt(endpoint);
  const auto named = [&attempt](const absl::Status& error) { return Annotate(error, attempt); };
  std::unique_ptr<h2::Tls> tls;
  if (endpoint.tls) {
    auto made = h2::Tls::Create(*endpoint.tls);
    if (!made.ok()) co_return named(made.status());
    tls = *std::move(made);
  }
  const auto fd = co_await h2::OpenSocket(loop, endpoint, context);
  if (!fd.ok()) co_return named(fd.status());
  auto link = Link::Create(loop, *fd, std::move(tls), limits);
  if (!link.ok()) co_return named(link.status());
  (*link)->session().Identify(endpoint.caller_key);
  const absl::Status ready = co_await Link::Ready(*link, std::move(context));
  if (!ready.ok()) {
    (*link)->Close(ready);
    co_return named(ready);
  }
  co_return std::make_unique<H2Transport>(*std::move(link));
}

io::Task<absl::StatusOr<std::unique_ptr<PluginTransport>>> ConnectUnix(io::Loop& loop,
                                                                       std::string socket_path,
                                                                       TransportLimits limits,
                                                                       CallContext context,
                                                                       pid_t peer_pid) {
  Endpoint endpoint;
  endpoint.address = std::move(socket_path);
  endpoint.peer_pid = peer_pid;
  return Connect(loop, std::move(endpoint), limits, std::move(context));
}

}  // namespace talon::plugin
