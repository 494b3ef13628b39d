// SPDX-License-Identifier: Apache-2.0
// What the adapters of all providers share: a request is tried again as the provider's options say,
// as long as nothing of an answer was shown. Loop's thread; private to the room.
#pragma once

#include <functional>
#include <random>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "model/chat_model.h"
#include "model/options.h"

namespace talon::model {

// How it waits between tries: Loop::SleepUntil, or what a test passes.
using Sleep = std::function<io::Task<absl::Status>(SteadyTime until, CallContext context)>;

class RetryingModel : public ChatModel {
 public:
  // `clock` must outlive it.
  RetryingModel(std::string provider, ProviderOptions options, const Clock& clock, Sleep sleep);
  io::Task<absl::StatusOr<ChatResponse>> Complete(ChatRequest request, CallContext context,
                                                  DeltaSink* sink) final;

 protected:
  // One try. `sink` may be null; `*delivered`: it has been called.
  virtual io::Task<absl::StatusOr<ChatResponse>> Try(const ChatRequest& request,
                                                     const CallContext& context, DeltaSink* sink,
                                                     bool* delivered) = 0;
  const std::string& provider() const { return provider_; }
  const ProviderOptions& options() const { return options_; }

 private:
  const std::string provider_;
  const ProviderOptions options_;
  const Clock& clock_;
  const Sleep sleep_;
  std::minstd_rand random_;
};

}  // namespace talon::model
