// SPDX-License-Identifier: Apache-2.0
#include "model/fault.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "model/fault_rules.h"
#include "model/json_text.h"

namespace talon::model {
namespace {

constexpr std::size_t kMaxQuotedBytes = 300;
constexpr std::size_t kMaxModelBytes = 100;
constexpr std::size_t kMaxReadBytes = 16 << 10;  // of a message, for classification

void AddWord(std::string& words, const Json* value) {
  if (value == nullptr) return;
  std::string word;
  if (value->is_string()) word = value->get<std::string>();
  if (value->is_number_integer()) word = DumpJson(*value);
  if (word.empty() || word.size() > 200) return;
  if (!words.empty()) words += ' ';
  words += ToLowerAscii(word);
}

void AddMessage(std::string& message, const Json* value) {
  if (value == nullptr || value->is_null()) return;
  std::string text = value->is_string() ? value->get<std::string>() : DumpJson(*value);
  if (text.empty()) return;
  if (!message.empty()) message += ": ";
  message += TruncateUtf8(text, kMaxReadBytes);
}

// Gemini: [{"@type":…,"reason":"API_KEY_INVALID"},{"retryDelay":"34s"},{"violations":[…]}].
void ReadDetails(const Json& details, Fault& fault) {
  if (!details.is_array()) return;
  for (const Json& detail : details) {
    AddWord(fault.type, JsonFind(detail, "reason"));
    std::string delay = JsonString(detail, "retryDelay");
    double seconds = std::strtod(delay.c_str(), nullptr);
    if (std::isfinite(seconds) && seconds > 0) {
      fault.retry_after =
          std::chrono::milliseconds(std::lround(std::min(seconds, 86'400.0) * 1000));
    }
    const Json* violations = JsonFind(detail, "violations");
    if (violations == nullptr || !violations->is_array()) continue;
    for (const Json& violation : *violations) AddWord(fault.type, JsonFind(violation, "quotaId"));
  }
}

void ReadErrorObject(const Json& error, Fault& fault) {
  for (std::string_view key : {"type", "code", "status"}) AddWord(fault.type, JsonFind(error, key));
  for (std::string_view key : {"message", "detail", "msg"}) {
    AddMessage(fault.message, JsonFind(error, key));
  }
  if (const Json* details = JsonFind(error, "details")) ReadDetails(*details, fault);
  // Gateways wrap the provider's own error: OpenRouter in metadata.raw, others in a nested object.
  if (const Json* metadata = JsonFind(error, "metadata")) {
    AddMessage(fault.message, JsonFind(*metadata, "raw"));
    AddMessage(fault.message, JsonFind(*metadata, "reasons"));
  }
  long code = JsonInt(error, "code");
  if (fault.http_status == 200 && code >= 400 && code < 600) {
    fault.http_status = static_cast<int>(code);
  }
}

std::string OneLine(std::string_view text) {
  std::string line;
  for (char c : text) {
    bool blank = static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
    if (!blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  return line;
}

std::string Quote(std::string_view text, std::size_t max_bytes, const Redactor& redactor) {
  // Redacted before it is cut, so that no half of a secret stays.
  std::string line = redactor.Redact(OneLine(RepairUtf8(TruncateUtf8(text, kMaxReadBytes))));
  return std::string(TruncateUtf8(line, max_bytes));
}

}  // namespace

std::optional<Fault> FindFault(const Json& document) {
  if (document.is_array()) {  // Gemini without SSE
    return document.empty() ? std::nullopt : FindFault(document.front());
  }
  if (!document.is_object()) return std::nullopt;
  const Json* error = JsonFind(document, "error");
  bool flat = JsonString(document, "object") == "error" || JsonString(document, "type") == "error";
  if ((error == nullptr || error->is_null()) && !flat) return std::nullopt;
  Fault fault;
  if (error == nullptr || error->is_null()) {
    ReadErrorObject(document, fault);
  } else if (error->is_object()) {
    ReadErrorObject(*error, fault);
  } else {
    AddMessage(fault.message, error);
  }
  return fault;
}

Fault FaultOfBody(int http_status, std::string_view body) {
  Fault fault;
  absl::StatusOr<Json> json = ParseProviderJson(body, "error body");
  if (json.ok()) {
    fault = FindFault(*json).value_or(Fault{});
    const Json& object = json->is_array() && !json->empty() ? json->front() : *json;
    if (fault.message.empty()) ReadErrorObject(object, fault);
  }
  if (fault.message.empty() && !TrimSpace(body).starts_with('<')) {
    fault.message = TruncateUtf8(body, kMaxReadBytes);
  }
  if (http_status != 200) fault.http_status = http_status;
  return fault;
}

std::string Describe(const ModelName& name, const Redactor& redactor) {
  return fmt::format("model '{}/{}'", name.provider, Quote(name.model, kMaxModelBytes, redactor));
}

absl::Status FaultStatus(const Fault& fault, const ModelName& name, const Redactor& redactor) {
  ErrorReason reason = Classify(fault);
  ReasonText words = TextOfReason(reason);
  std::string text = fmt::format("{}: {}", Describe(name, redactor),
                                 fault.too_large ? "the answer exceeds a limit" : words.what);
  if (fault.http_status != 200) text += fmt::format(" (HTTP {})", fault.http_status);
  std::string quoted = Quote(fault.message, kMaxQuotedBytes, redactor);
  if (!quoted.empty()) text += fmt::format(": '{}'", quoted);
  if (fault.http_status == 404 && reason == ErrorReason::kBadRequest) {
    text += "; check base_url in models.providers";
  } else if (!words.cure.empty()) {
    text += fmt::format("; {}", words.cure);
  }
  absl::StatusCode code = fault.too_large ? absl::StatusCode::kResourceExhausted : words.code;
  absl::Status status = MakeError(code, reason, text);
  if (!fault.retry_after) return status;
  return WithRetryAfter(std::move(status), static_cast<long>(fault.retry_after->count()));
}

}  // namespace talon::model
