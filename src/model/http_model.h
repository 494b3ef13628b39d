// SPDX-License-Identifier: Apache-2.0
// A ChatModel over HTTP: writes the request by its wire, runs exchanges, tries again as the options
// say. Any number of calls at once. Loop's thread; private to the room.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>

#include "model/chat_model.h"
#include "model/exchange.h"
#include "model/factory.h"
#include "model/options.h"
#include "model/wire.h"

namespace talon::model {

// How it waits between tries: Loop::SleepUntil, or what a test passes.
using Sleep = std::function<io::Task<absl::Status>(SteadyTime until, CallContext context)>;

class HttpModel : public ChatModel {
 public:
  HttpModel(std::string provider, ProviderOptions options, std::unique_ptr<WireFormat> wire,
            ModelDependencies dependencies, Sleep sleep);
  io::Task<absl::StatusOr<ChatResponse>> Complete(ChatRequest request, CallContext context,
                                                  DeltaSink* sink) override;

 private:
  absl::StatusOr<io::HttpRequest> Build(const ChatRequest& request, Delivery delivery);
  const ModelEntry* Entry(const std::string& model) const;

  const std::string provider_;
  const ProviderOptions options_;
  const std::unique_ptr<WireFormat> wire_;
  const Sleep sleep_;
  const ExchangeSurroundings around_;
  std::minstd_rand random_;
};

}  // namespace talon::model
