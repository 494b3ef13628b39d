// SPDX-License-Identifier: Apache-2.0
// Which models there are: `models.providers` and `models.catalog` of talon.yaml. Names as
// OpenTalon's where it has them.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/option_limit.h"
#include "base/secret.h"

namespace talon::model {

enum class Wire { kOpenAi, kAnthropic, kGoogle, kReflex, kPlugin };
constexpr auto EnumNames(Wire) {
  return std::array{std::pair{std::string_view("openai-completions"), Wire::kOpenAi},
                    std::pair{std::string_view("anthropic-messages"), Wire::kAnthropic},
                    std::pair{std::string_view("google-generative"), Wire::kGoogle},
                    std::pair{std::string_view("reflex"), Wire::kReflex},
                    std::pair{std::string_view("plugin"), Wire::kPlugin}};
}

struct CostOptions {
  double input = 0, output = 0, cache_read = 0, cache_write = 0;
  static constexpr auto Fields() {
    using O = CostOptions;
    return std::make_tuple(
        Option("input", &O::input, AtLeast(0), "US dollars per million input tokens."),
        Option("output", &O::output, AtLeast(0), "US dollars per million output tokens."),
        Option("cache_read", &O::cache_read, AtLeast(0),
               "US dollars per million input tokens read from the cache."),
        Option("cache_write", &O::cache_write, AtLeast(0),
               "US dollars per million input tokens written to the cache."));
  }
};

struct ModelEntry {
  std::string id;
  std::string name;
  std::int64_t context_window = 128'000;
  std::int64_t max_tokens = 0;
  std::vector<std::string> input = {"text"};
  std::vector<std::string> features = {"tools"};
  bool reasoning = false;
  std::string reasoning_effort;
  CostOptions cost;
  static constexpr auto Fields() {
    using O = ModelEntry;
    return std::make_tuple(
        Option("id", &O::id, "The provider's name for the model."),
        Option("name", &O::name, "A name for people; the id when empty."),
        Option("context_window", &O::context_window, kPositive,
               "Tokens of prompt and answer together."),
        Option("max_tokens", &O::max_tokens, AtLeast(0),
               "Most output tokens to ask for; 0 = the provider's."),
        Option("input", &O::input, OneOf({"text", "image"}), "What the model reads: text, image."),
        Option("features", &O::features,
               OneOf({"tools", "reasoning", "streaming", "images", "retry_tool_calls"}),
               "What it can: `reasoning` counts where the model's name does not tell it; the "
               "others are "
               "taken as OpenTalon has them and change nothing."),
        Option("reasoning", &O::reasoning, "The same as `reasoning` among `features`."),
        Option("reasoning_effort", &O::reasoning_effort,
               OneOf({"", "off", "low", "medium", "high"}),
               "How long it thinks; empty = the provider's default."),
        Option("cost", &O::cost, "Prices, for cost reports and budgets."));
  }
};

enum class MaxTokensField { kAuto, kMaxTokens, kMaxCompletionTokens };
constexpr auto EnumNames(MaxTokensField) {
  return std::array{
      std::pair{std::string_view("auto"), MaxTokensField::kAuto},
      std::pair{std::string_view("max_tokens"), MaxTokensField::kMaxTokens},
      std::pair{std::string_view("max_completion_tokens"), MaxTokensField::kMaxCompletionTokens}};
}

enum class Sent { kAuto, kAlways, kNever };
constexpr auto EnumNames(Sent) {
  return std::array{std::pair{std::string_view("auto"), Sent::kAuto},
                    std::pair{std::string_view("always"), Sent::kAlways},
                    std::pair{std::string_view("never"), Sent::kNever}};
}

struct DialectOptions {
  MaxTokensField max_tokens_field = MaxTokensField::kAuto;
  Sent stream_options = Sent::kAuto;
  Sent user = Sent::kAuto;
  static constexpr auto Fields() {
    using O = DialectOptions;
    return std::make_tuple(
        Option("max_tokens_field", &O::max_tokens_field,
               "The member that limits the answer. auto: max_completion_tokens at OpenAI and for "
               "its reasoning models (gpt-5, o1, o3, o4) anywhere, else max_tokens."),
        Option("stream_options", &O::stream_options,
               "Whether usage of a stream is asked for; auto: as the known host wants it."),
        Option("user", &O::user,
               "Whether the member `user` is sent; auto: as the known host wants it."));
  }
};

struct ProviderOptions {
  Wire api = Wire::kOpenAi;
  std::string plugin;
  std::string base_url;
  Secret api_key;
  std::map<std::string, Secret> headers;
  std::vector<ModelEntry> models;
  DialectOptions dialect;
  std::chrono::milliseconds timeout{1'800'000};
  std::chrono::milliseconds whole_answer_timeout{600'000};
  std::chrono::milliseconds first_byte_timeout{120'000};
  std::chrono::milliseconds idle_timeout{120'000};
  std::uint32_t max_attempts = 3;
  std::chrono::milliseconds base_delay{500};
  std::chrono::milliseconds max_delay{20'000};
  std::chrono::milliseconds max_total_wait{30'000};
  std::int64_t default_max_tokens = 4096;
  Bytes max_answer{16u << 20};
  std::uint32_t max_tool_calls = 128;
  std::chrono::milliseconds stream_end_grace{2'000};

  absl::Status Validate() const;
  static constexpr auto Fields() {
    using O = ProviderOptions;
    return std::make_tuple(
        Option("api", &O::api, "The wire it speaks."),
        Option("plugin", &O::plugin,
               "With `api: plugin`: the plugin that serves the models; those it names are offered "
               "when `models` lists none."),
        Option("base_url", &O::base_url, "Where it is; empty = the wire's public endpoint."),
        Option("api_key", &O::api_key,
               "Credential; write ${NAME} to take it from the environment."),
        Option("headers", &O::headers, "Further request headers."),
        Option("models", &O::models,
               "The models it offers. Unlisted ids work with default limits."),
        Option("dialect", &O::dialect,
               "What a server behind openai-completions takes, where its host does not tell: for "
               "proxies and gateways."),
        Option("timeout", &O::timeout, kPositive, "Longest whole answer, further tries included."),
        Option("whole_answer_timeout", &O::whole_answer_timeout, kPositive,
               "The same for an answer that is not streamed: nothing is heard until it is there."),
        Option("first_byte_timeout", &O::first_byte_timeout, kPositive,
               "Longest wait for a streamed answer to begin."),
        Option("idle_timeout", &O::idle_timeout, kPositive,
               "Longest silence within a streamed answer, after which it has failed."),
        Option("max_attempts", &O::max_attempts, kPositive,
               "Tries of one request on rate limit, overload and transport errors."),
        Option("base_delay", &O::base_delay, "Wait before the second try; doubles each time."),
        Option("max_delay", &O::max_delay, "Longest single wait, Retry-After included."),
        Option("max_total_wait", &O::max_total_wait, "Longest waiting in total for one request."),
        Option("default_max_tokens", &O::default_max_tokens, kPositive,
               "Most output tokens where the wire demands a number (Anthropic) and neither request "
               "nor model gives one."),
        Option("max_answer", &O::max_answer, kPositive,
               "Largest answer: text, reasoning and arguments; more is an error."),
        Option("max_tool_calls", &O::max_tool_calls, kPositive, "Most tool calls of one answer."),
        Option("stream_end_grace", &O::stream_end_grace,
               "Longest wait for usage and the connection's end after an answer's last word."));
  }
};

struct CatalogEntry {
  std::string alias;
  std::uint32_t weight = 0;
  static constexpr auto Fields() {
    using O = CatalogEntry;
    return std::make_tuple(Option("alias", &O::alias, "Short name for `--model` and `/model`."),
                           Option("weight", &O::weight, Between(0, 100),
                                  "Higher is tried first where no `routing.primary` is set."));
  }
};

struct ModelsOptions {
  std::map<std::string, ProviderOptions> providers;
  std::map<std::string, CatalogEntry> catalog;  // "provider/model"
  static constexpr auto Fields() {
    using O = ModelsOptions;
    return std::make_tuple(Option("providers", &O::providers, "Model providers by name."),
                           Option("catalog", &O::catalog, "`provider/model` to alias and weight."));
  }
};

}  // namespace talon::model
