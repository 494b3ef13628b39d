// SPDX-License-Identifier: Apache-2.0
#include "model/tokens.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace talon::model {
namespace {

constexpr double kMinFactor = 0.7;
constexpr double kMaxFactor = 2.0;
constexpr double kLearningRate = 0.3;           // weight of the newest request
constexpr std::int64_t kMinLearnTokens = 64;    // smaller requests are mostly framing
constexpr std::size_t kMaxLearnedModels = 512;  // model names may come from callers

// Framing that the wire adds, in tokens.
struct WireCosts {
  double text_scale;  // against the weights below, which fit OpenAI's o200k
  double message, tool, tool_preamble, image;
};

constexpr WireCosts CostsOf(Wire wire) {
  switch (wire) {
    case Wire::kAnthropic:
      return {1.18, 6, 14, 340, 1600};
    case Wire::kGoogle:
      return {1.0, 4, 12, 20, 1100};
    case Wire::kOpenAi:
    case Wire::kReflex:
    case Wire::kPlugin:
      break;
  }
  return {1.0, 5, 10, 16, 1100};
}

// Thousandths of a token per byte. Prose comes to about 4.4 bytes a token, JSON and code to about
// 2.8, base64 to 2.7, Cyrillic and Greek to 4 and Chinese to 3.5 (UTF-8 continuation bytes are
// free).
constexpr std::array<std::uint16_t, 256> MakeWeights() {
  std::array<std::uint16_t, 256> weights{};
  for (int c = 0; c < 256; ++c) {
    bool lower = c >= 'a' && c <= 'z';
    bool upper = c >= 'A' && c <= 'Z';
    bool digit = c >= '0' && c <= '9';
    std::uint16_t weight = 500;  // punctuation and control
    if (lower || c == ' ') weight = 215;
    if (upper) weight = 330;
    if (digit) weight = 420;
    if (c >= 0x80) weight = 0;
    if (c >= 0xC0) weight = 500;
    if (c >= 0xE0) weight = 850;
    if (c >= 0xF0) weight = 2000;
    weights[static_cast<std::size_t>(c)] = weight;
  }
  return weights;
}
constexpr std::array<std::uint16_t, 256> kWeights = MakeWeights();

double RawText(std::string_view text) {
  std::uint64_t sum = 0;
  for (char c : text) sum += kWeights[static_cast<unsigned char>(c)];
  return static_cast<double>(sum) / 1000;
}

struct PartWeight {
  const WireCosts& costs;
  double operator()(const TextPart& part) const { return RawText(part.text) * costs.text_scale; }
  double operator()(const ImagePart&) const { return costs.image; }
  double operator()(const ReasoningPart& part) const {
    // Signatures are proofs, not prompt.
    return (RawText(part.text) + RawText(part.redacted)) * costs.text_scale;
  }
  double operator()(const ToolCall& part) const {
    return costs.message + (RawText(part.name) + RawText(part.arguments)) * costs.text_scale;
  }
  double operator()(const ToolResult& part) const {
    return costs.message + RawText(part.content) * costs.text_scale;
  }
};

double RawMessage(const WireCosts& costs, const Message& message) {
  double sum = costs.message;
  for (const Part& part : message.parts) sum += std::visit(PartWeight{costs}, part);
  return sum;
}

double RawTool(const WireCosts& costs, const ToolDefinition& tool) {
  return costs.tool +
         costs.text_scale * (RawText(tool.name) + RawText(tool.description) + RawText(tool.schema));
}

std::int64_t Round(double tokens) {
  return static_cast<std::int64_t>(std::ceil(tokens));
}

}  // namespace

double TokenEstimator::Factor(const std::string& model) const {
  auto found = factors_.find(model);
  return found == factors_.end() ? 1.0 : found->second;
}

std::int64_t TokenEstimator::Estimate(Wire wire, const ChatRequest& request) const {
  const WireCosts costs = CostsOf(wire);
  double sum = costs.message + RawText(request.system) * costs.text_scale;
  for (const Message& message : request.messages) sum += RawMessage(costs, message);
  if (!request.tools.empty()) sum += costs.tool_preamble;
  for (const ToolDefinition& tool : request.tools) sum += RawTool(costs, tool);
  return Round(sum * Factor(request.model));
}

std::int64_t TokenEstimator::EstimateMessage(Wire wire, const std::string& model,
                                             const Message& message) const {
  return Round(RawMessage(CostsOf(wire), message) * Factor(model));
}

std::int64_t TokenEstimator::EstimateText(Wire wire, const std::string& model,
                                          std::string_view text) const {
  return Round(RawText(text) * CostsOf(wire).text_scale * Factor(model));
}

std::int64_t TokenEstimator::EstimateTool(Wire wire, const std::string& model,
                                          const ToolDefinition& tool) const {
  return Round(RawTool(CostsOf(wire), tool) * Factor(model));
}

void TokenEstimator::Learn(const std::string& model, std::int64_t estimated,
                           std::int64_t reported) {
  if (estimated < kMinLearnTokens || reported <= 0) return;
  auto found = factors_.find(model);
  if (found == factors_.end()) {
    if (factors_.size() >= kMaxLearnedModels) return;
    found = factors_.emplace(model, 1.0).first;
  }
  // The estimate already carried the old factor.
  double ratio = static_cast<double>(reported) / static_cast<double>(estimated);
  double target = std::clamp(found->second * ratio, kMinFactor, kMaxFactor);
  found->second += kLearningRate * (target - found->second);
}

}  // namespace talon::model
