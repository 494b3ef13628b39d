// SPDX-License-Identifier: Apache-2.0
// Token estimates before a request is sent: characters per token by wire and kind of text,
// corrected per model by the usage its provider reports (factor 0.7 … 2.0, moving average). Loop's
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/status.h"
#include "model/options.h"
#include "model/types.h"

namespace talon::model {

class TokenEstimator {
 public:
  // Messages, system prompt and tool definitions, everything the request will carry.
  std::int64_t Estimate(Wire wire, const ChatRequest& request) const;
  std::int64_t EstimateMessage(Wire wire, const std::string& model, const Message& message) const;
  std::int64_t EstimateText(Wire wire, const std::string& model, std::string_view text) const;
  std::int64_t EstimateTool(Wire wire, const std::string& model, const ToolDefinition& tool) const;
  // Learns from a finished request: what was estimated and what the provider counted.
  void Learn(const std::string& model, std::int64_t estimated, std::int64_t reported);

 private:
  double Factor(const std::string& model) const;
  std::unordered_map<std::string, double> factors_;
};

}  // namespace talon::model
