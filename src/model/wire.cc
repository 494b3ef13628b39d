// SPDX-License-Identifier: Apache-2.0
#include "model/wire.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.h"
#include "base/status.h"

namespace talon::model {
namespace {

constexpr std::size_t kMaxWireName = 64;  // the least that any of the wires allows

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

struct PartBytes {
  std::size_t operator()(const TextPart& part) const { return part.text.size(); }
  std::size_t operator()(const ImagePart& part) const {
    return part.base64.size() + part.url.size();
  }
  std::size_t operator()(const ReasoningPart& part) const {
    return part.text.size() + part.signature.size() + part.redacted.size();
  }
  std::size_t operator()(const ToolCall& part) const {
    return part.arguments.size() + part.name.size() + part.id.size() + part.signature.size();
  }
  std::size_t operator()(const ToolResult& part) const {
    return part.content.size() + part.call_id.size();
  }
};

}  // namespace

std::string JoinUrl(std::string_view base_url, std::string_view path) {
  std::size_t query = std::min(base_url.find('?'), base_url.size());
  std::string_view before = base_url.substr(0, query);
  while (before.ends_with('/')) before.remove_suffix(1);
  std::string url(before);
  if (!before.ends_with(path)) url += path;
  url += base_url.substr(query);
  return url;
}

std::string_view HostOf(std::string_view url) {
  std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (std::size_t at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  return url.substr(0, url.rfind(':'));
}

absl::Status RefuseExtra(const ChatRequest& request) {
  for (const auto& [name, value] : request.extra) {
    if (name == kReasoningEffort && request.reasoning != ReasoningEffort::kDefault) continue;
    return MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kBadRequest,
                     fmt::format("{}: model '{}' cannot do this; leave it out, or choose a model "
                                 "that speaks openai-completions",
                                 name, request.model));
  }
  return absl::OkStatus();
}

bool HasFeature(const ModelEntry* entry, std::string_view feature) {
  if (entry == nullptr) return false;
  if (feature == "reasoning" && entry->reasoning) return true;
  return std::find(entry->features.begin(), entry->features.end(), feature) !=
         entry->features.end();
}

bool ReadsImages(const ModelEntry* entry) {
  return entry == nullptr ||
         std::find(entry->input.begin(), entry->input.end(), "image") != entry->input.end();
}

ReasoningEffort EffortOf(const ChatRequest& request, const ModelEntry* entry) {
  if (request.reasoning != ReasoningEffort::kDefault || entry == nullptr) return request.reasoning;
  if (entry->reasoning_effort == "off") return ReasoningEffort::kOff;
  if (entry->reasoning_effort == "low") return ReasoningEffort::kLow;
  if (entry->reasoning_effort == "medium") return ReasoningEffort::kMedium;
  if (entry->reasoning_effort == "high") return ReasoningEffort::kHigh;
  return ReasoningEffort::kDefault;
}

std::optional<std::int64_t> MaxTokensOf(const ChatRequest& request, const ModelEntry* entry) {
  std::int64_t most = entry == nullptr ? 0 : entry->max_tokens;
  if (!request.max_output_tokens) return most > 0 ? std::optional(most) : std::nullopt;
  std::int64_t wanted = std::max<std::int64_t>(*request.max_output_tokens, 1);
  return most > 0 ? std::min(wanted, most) : wanted;
}

std::string SafeName(std::string_view name) {
  std::string safe(name.substr(0, kMaxWireName));
  std::replace_if(safe.begin(), safe.end(), [](char c) { return !IsNameByte(c); }, '_');
  return safe.empty() ? "unnamed" : safe;
}

std::string SafeCallId(const std::string& id) {
  bool good =
      !id.empty() && id.size() <= kMaxWireName && std::all_of(id.begin(), id.end(), IsNameByte);
  return good ? id : "call_" + Sha256Hex(id).substr(0, 24);
}

std::string SystemText(const ChatRequest& request) {
  std::string text = request.system;
  for (const Message& message : request.messages) {
    if (message.role != Role::kSystem) break;
    if (!text.empty()) text += "\n\n";
    text += TextOf(message);
  }
  return text;
}

bool IsAssistant(const Turn& turn) {
  return turn.front()->role == Role::kAssistant;
}

std::vector<Turn> TurnsOf(const ChatRequest& request,
                          const std::function<bool(const Message&)>& sendable) {
  std::vector<Turn> turns;
  bool head = true;
  for (const Message& message : request.messages) {
    head = head && message.role == Role::kSystem;
    if (head || !sendable(message)) continue;
    bool assistant = message.role == Role::kAssistant;
    if (turns.empty() || IsAssistant(turns.back()) != assistant) turns.emplace_back();
    turns.back().push_back(&message);
  }
  return turns;
}

std::string ImageUrl(const ImagePart& image) {
  if (image.base64.empty()) return image.url;
  return fmt::format("data:{};base64,{}", image.media_type.empty() ? "image/png" : image.media_type,
                     image.base64);
}

std::size_t EstimateBytes(const ChatRequest& request) {
  std::size_t bytes = 1024 + request.system.size();
  for (const Message& message : request.messages) {
    bytes += 64;
    for (const Part& part : message.parts) bytes += 128 + std::visit(PartBytes{}, part);
  }
  for (const ToolDefinition& tool : request.tools) {
    bytes += 128 + tool.name.size() + tool.description.size() + tool.schema.size();
  }
  return bytes + bytes / 8;  // escapes
}

}  // namespace talon::model
