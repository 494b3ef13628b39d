// SPDX-License-Identifier: Apache-2.0
#include "grpc_call.h"

#include <iterator>
#include <string_view>

#include "talon/sdk/protocol.h"

namespace talon::sdk {
namespace {

CallInfo::Clock::time_point SteadyDeadline(const grpc::ServerContext& context) {
  using std::chrono::system_clock;
  const system_clock::time_point deadline = context.deadline();
  const system_clock::time_point now = system_clock::now();
  if (deadline > now + std::chrono::hours(24 * 365)) return CallInfo::Clock::time_point::max();
  return CallInfo::Clock::now() + (deadline - now);
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto message = status.message();
  return {static_cast<grpc::StatusCode>(status.code()),
          std::string(message.data(), message.size())};
}

Call::Call(CallHost& host, Method& method) : host_(host), method_(method), done_(*this) {
  host_.CallMade();
  context_.AsyncNotifyWhenDone(static_cast<Event*>(&done_));
}

Call::~Call() {
  host_.CallGone(started_);
}

void Call::Happened(bool ok) {
  if (started_) return Release();  // the answer is out, or the connection is gone
  if (!ok) {  // the server stops; the end of a call that never began is not told
    delete this;
    return;
  }
  started_ = true;
  if (host_.BeginHandler(method_.counted())) method_.Next(host_);
  if (!FromDaemon()) {
    return Refuse(absl::UnauthenticatedError("this plugin answers the daemon that started it"));
  }
  CallInfo info(cancel_, SteadyDeadline(context_));
  Run(info);
}

bool Call::FromDaemon() const {
  const std::string& key = host_.caller_key();
  if (key.empty()) return true;
  const auto [begin, end] = context_.client_metadata().equal_range(kCallerKeyHeader);
  return begin != end && std::next(begin) == end &&
         std::string_view(begin->second.data(), begin->second.size()) == key;
}

void Call::HandlerEnded() {
  if (host_.EndHandler(method_.counted())) method_.Next(host_);
}

}  // namespace talon::sdk
