// SPDX-License-Identifier: Apache-2.0
#include "model/fault_rules.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/text.h"
#include "model/fault.h"

namespace talon::model {
namespace {

struct Rule {
  std::string_view text;
  ErrorReason reason;
};

// Whole words of error.type, error.code and error.status. The first match in this order wins, so
// what says more stands before what says less.
constexpr auto kWordRules = std::to_array<Rule>({
    {"insufficient_quota", ErrorReason::kQuota},
    {"billing_hard_limit_reached", ErrorReason::kQuota},
    {"billing_not_active", ErrorReason::kQuota},
    {"billing_error", ErrorReason::kQuota},
    {"insufficient_balance", ErrorReason::kQuota},
    {"insufficient_credits", ErrorReason::kQuota},
    {"exceeded_current_quota_error", ErrorReason::kQuota},
    {"content_filter", ErrorReason::kContentFiltered},
    {"content_policy_violation", ErrorReason::kContentFiltered},
    {"responsibleaipolicyviolation", ErrorReason::kContentFiltered},
    {"data_inspection_failed", ErrorReason::kContentFiltered},
    {"moderation_blocked", ErrorReason::kContentFiltered},
    {"api_key_invalid", ErrorReason::kAuth},
    {"invalid_api_key", ErrorReason::kAuth},
    {"authentication_error", ErrorReason::kAuth},
    {"invalid_authentication_error", ErrorReason::kAuth},
    {"incorrect_api_key_error", ErrorReason::kAuth},
    {"unauthenticated", ErrorReason::kAuth},
    {"model_not_found", ErrorReason::kUnknownModel},
    {"permission_error", ErrorReason::kAuth},
    {"permission_denied", ErrorReason::kAuth},
    {"rate_limit_exceeded", ErrorReason::kRateLimited},
    {"rate_limit_error", ErrorReason::kRateLimited},
    {"rate_limit_reached_error", ErrorReason::kRateLimited},
    {"resource_exhausted", ErrorReason::kRateLimited},
    {"too_many_requests", ErrorReason::kRateLimited},
    {"overloaded_error", ErrorReason::kOverloaded},
    {"engine_overloaded_error", ErrorReason::kOverloaded},
    {"unavailable", ErrorReason::kOverloaded},
    {"service_unavailable", ErrorReason::kOverloaded},
    {"unavailable_error", ErrorReason::kOverloaded},  // llama.cpp while it loads a model
    {"insufficient_system_resource", ErrorReason::kOverloaded},
    {"internal", ErrorReason::kOverloaded},
    {"deadline_exceeded", ErrorReason::kOverloaded},
    {"api_error", ErrorReason::kOverloaded},
    {"server_error", ErrorReason::kOverloaded},
    {"internal_error", ErrorReason::kOverloaded},
    {"internal_server_error", ErrorReason::kOverloaded},
    {"timeout_error", ErrorReason::kOverloaded},
});

constexpr auto kMessageRules = std::to_array<Rule>({
    {"credit balance is too low", ErrorReason::kQuota},
    {"insufficient balance", ErrorReason::kQuota},
    {"insufficient credits", ErrorReason::kQuota},
    {"requires more credits", ErrorReason::kQuota},
    {"out of credits", ErrorReason::kQuota},
    {"billing hard limit", ErrorReason::kQuota},
    {"content management policy", ErrorReason::kContentFiltered},
    {"requires moderation", ErrorReason::kContentFiltered},
    {"content policy", ErrorReason::kContentFiltered},
    {"content filter", ErrorReason::kContentFiltered},
    {"api key not valid", ErrorReason::kAuth},
    {"invalid api key", ErrorReason::kAuth},
    {"incorrect api key", ErrorReason::kAuth},
    {"rate limit", ErrorReason::kRateLimited},
    {"overloaded", ErrorReason::kOverloaded},
});

constexpr auto kContextWords = std::to_array<std::string_view>({
    "context_length_exceeded",
    "exceed_context_size_error",
    "request_too_large",
    "string_above_max_length",
    "model_context_window_exceeded",
});

constexpr auto kContextPhrases = std::to_array<std::string_view>({
    "prompt is too long",                    // Anthropic
    "input is too long",                     // Bedrock
    "exceed context limit",                  // Anthropic, with max_tokens
    "exceeds the maximum number of tokens",  // Gemini
    "maximum model length",                  // vLLM
    "maximum prompt length",                 // xAI
    "reduce the length of",                  // OpenAI, Groq
    "request too large for",       // OpenAI and Groq: one request above the minute's limit
    "context the overflows",       // LM Studio
    "too many tokens",             // Cohere, Mistral
    "exceeded model token limit",  // Moonshot
    "range of input length",       // DashScope
    "max_new_tokens` must be",     // TGI
    "prompt exceeds",              // GLM
});

// Any of these together with one of the verbs: "exceeds the available context size", "greater than
// the context length", "maximum context length is", "context window exceeds limit", …
constexpr auto kContextNouns =
    std::to_array<std::string_view>({"context length", "context window", "context size"});
constexpr auto kContextVerbs = std::to_array<std::string_view>(
    {"exceed", "maximum", "too long", "too large", "greater", "larger", "longer", "overflow"});

bool HasAny(std::string_view text, std::span<const std::string_view> needles) {
  return std::any_of(needles.begin(), needles.end(), [text](std::string_view needle) {
    return text.find(needle) != std::string_view::npos;
  });
}

bool HasWord(std::string_view words, std::string_view word) {
  for (std::size_t at = words.find(word); at != std::string_view::npos;
       at = words.find(word, at + 1)) {
    std::size_t end = at + word.size();
    if ((at == 0 || words[at - 1] == ' ') && (end == words.size() || words[end] == ' '))
      return true;
  }
  return false;
}

}  // namespace

ReasonText TextOfReason(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kAuth:
      return {absl::StatusCode::kUnauthenticated, "the credential was refused",
              "check the provider's api_key in models.providers"};
    case ErrorReason::kQuota:
      return {absl::StatusCode::kResourceExhausted, "the account has no credit left",
              "check the provider's billing"};
    case ErrorReason::kRateLimited:
      return {absl::StatusCode::kResourceExhausted, "rate limited", ""};
    case ErrorReason::kOverloaded:
      return {absl::StatusCode::kUnavailable, "the provider cannot serve now", ""};
    case ErrorReason::kContextTooLong:
      return {absl::StatusCode::kInvalidArgument, "the prompt is too long for the model", ""};
    case ErrorReason::kContentFiltered:
      return {absl::StatusCode::kFailedPrecondition, "the provider refused the content", ""};
    case ErrorReason::kUnknownModel:
      return {absl::StatusCode::kNotFound, "the provider does not know the model",
              "check the model's id in models.providers"};
    case ErrorReason::kTransport:
      return {absl::StatusCode::kUnavailable, "no complete answer arrived", ""};
    default:
      return {absl::StatusCode::kInvalidArgument, "the provider could not read the request", ""};
  }
}

bool SaysContextTooLong(std::string_view words, std::string_view message) {
  for (std::string_view word : kContextWords) {
    if (HasWord(words, word)) return true;
  }
  if (HasAny(message, kContextPhrases)) return true;
  return HasAny(message, kContextNouns) && HasAny(message, kContextVerbs);
}

ErrorReason ReasonOfWords(std::string_view words) {
  // A daily quota of Gemini comes as RESOURCE_EXHAUSTED with the quota's name: waiting does not
  // help.
  if (words.find("perday") != std::string_view::npos) return ErrorReason::kQuota;
  for (const Rule& rule : kWordRules) {
    if (HasWord(words, rule.text)) return rule.reason;
  }
  return ErrorReason::kNone;
}

ErrorReason ReasonOfMessage(std::string_view message) {
  for (const Rule& rule : kMessageRules) {
    if (message.find(rule.text) != std::string_view::npos) return rule.reason;
  }
  return ErrorReason::kNone;
}

ErrorReason ReasonOfHttpStatus(int status, std::string_view message) {
  switch (status) {
    case 200:
    case 408:
      return ErrorReason::kTransport;
    case 401:
    case 403:
      return ErrorReason::kAuth;
    case 402:
      return ErrorReason::kQuota;
    case 404:
      return message.find("model") != std::string_view::npos ? ErrorReason::kUnknownModel
                                                             : ErrorReason::kBadRequest;
    case 413:
      return ErrorReason::kContextTooLong;
    case 425:
      return ErrorReason::kOverloaded;
    case 429:
      return ErrorReason::kRateLimited;
    case 451:
      return ErrorReason::kContentFiltered;
    default:
      return status >= 500 ? ErrorReason::kOverloaded : ErrorReason::kBadRequest;
  }
}

ErrorReason Classify(const Fault& fault) {
  if (fault.reason != ErrorReason::kNone) return fault.reason;
  const int status = fault.http_status;
  std::string message = ToLowerAscii(fault.message);
  bool about_access = status >= 401 && status <= 404;
  // "Too many tokens" with 429 is about the minute, but one request above the minute's limit never
  // fits.
  bool too_long = status == 429 ? message.find("request too large for") != std::string::npos
                                : !about_access && SaysContextTooLong(fault.type, message);
  if (too_long || status == 413) return ErrorReason::kContextTooLong;
  ErrorReason by_words = ReasonOfWords(fault.type);
  // Ollama calls every error an api_error; a 4xx is about the request all the same.
  bool contradicted = by_words == ErrorReason::kOverloaded && status >= 400 && status < 500 &&
                      status != 408 && status != 425 && status != 429;
  if (by_words != ErrorReason::kNone && !contradicted) return by_words;
  // Redirects and bodies of proxies are judged by their status alone.
  if (status == 200 || (status >= 400 && status < 500)) {
    if (ErrorReason reason = ReasonOfMessage(message); reason != ErrorReason::kNone) return reason;
  }
  return ReasonOfHttpStatus(status, message);
}

}  // namespace talon::model
