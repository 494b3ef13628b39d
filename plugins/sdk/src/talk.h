// SPDX-License-Identifier: Apache-2.0
// A call that tells and asks more than its answer, without its wire: from CallInfo::Progress and
// CallInfo::Ask to messages of talon.v1 and back. Thread-safe. Internal to the SDK.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "dispatcher.h"
#include "outlet.h"
#include "talon/sdk/call.h"
#include "talon/v1/plugin.pb.h"

namespace talon::sdk {

class Talk : public CallChannel {
 public:
  // Take a message out without waiting; not called after Close(). Without `ask` every question is
  // cancelled.
  using Tell = std::function<void(v1::Progress progress)>;
  using Put = std::function<void(v1::Question question)>;
  explicit Talk(Tell tell, Put ask = nullptr) : tell_(std::move(tell)), ask_(std::move(ask)) {}

  void Progress(std::string_view text, double done, double total) override;
  Answer Ask(const Question& question, const CallInfo& call) override;

  // From the connection: an answer has come; there will be no more.
  void Answered(const v1::Answer& answer);
  void Close();

 private:
  const Tell tell_;
  const Put ask_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  int asked_ = 0;
  std::map<std::string, std::optional<v1::Answer>> open_;  // by question id
  bool closed_ = false;
};

// Plugin.ExecuteStream.
absl::Status ExecuteTold(Dispatcher& dispatcher, const v1::ExecuteRequest& request,
                         const CallInfo& call, Outlet<v1::ExecuteUpdate>& out);

// Plugin.Converse. Both must outlive it.
std::unique_ptr<Inlet<v1::HostMessage>> MakeConversation(Dispatcher& dispatcher,
                                                         Outlet<v1::PluginMessage>& out);

// `call` with what the request says of it.
CallInfo InfoOf(const v1::ExecuteRequest& request, const CallInfo& call);

}  // namespace talon::sdk
