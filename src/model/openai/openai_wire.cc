// SPDX-License-Identifier: Apache-2.0
#include "model/wire.h"

#include <fmt/format.h>

#include "absl/strings/ascii.h"
#include "model/openai/dialect.h"
#include "model/openai/reader.h"
#include "model/openai/request.h"

namespace talon::model {
namespace {

class OpenAiWire : public WireFormat {
 public:
  OpenAiWire(std::string base_url, std::string provider, const DialectOptions& options)
      : url_(JoinUrl(base_url, "/chat/completions")),
        options_(options),
        dialect_(DialectOf(base_url, options)),
        provider_(std::move(provider)) {}

  absl::Status Check(const ChatRequest&) const override { return absl::OkStatus(); }

  absl::StatusOr<std::string> Url(const ChatRequest&, Delivery) const override { return url_; }

  void AddHeaders(const Secret& api_key, io::Headers& headers) const override {
    if (api_key.empty()) return;
    headers.Set("authorization", fmt::format("Bearer {}", api_key.Reveal()));
  }

  std::string Body(const ChatRequest& request, const ModelEntry* entry,
                   Delivery delivery) override {
    OpenAiDialect dialect = dialect_;
    dialect.max_completion_tokens = WantsMaxCompletionTokens(dialect_, options_, request.model);
    return OpenAiRequest(request, entry, dialect, provider_).Write(delivery);
  }

  std::unique_ptr<AnswerReader> NewReader() const override {
    return std::make_unique<OpenAiReader>();
  }

 private:
  const std::string url_;
  const DialectOptions options_;
  const OpenAiDialect dialect_;
  const std::string provider_;
};

// gpt-5…, o1…, o3-mini, also as "openai/o4-mini" or "azure.gpt-5".
bool IsOpenAiReasoner(std::string_view model) {
  if (const auto at = model.find_last_of("/."); at != std::string_view::npos &&
                                                at + 1 < model.size() &&
                                                !absl::ascii_isdigit(model[at + 1])) {
    model.remove_prefix(at + 1);
  }
  if (model.starts_with("gpt-5")) return true;
  return model.size() >= 2 && model[0] == 'o' && absl::ascii_isdigit(model[1]) &&
         (model.size() == 2 || model[2] == '-');
}

bool Sends(Sent configured, bool known) {
  return configured == Sent::kAuto ? known : configured == Sent::kAlways;
}

}  // namespace

bool WantsMaxCompletionTokens(const OpenAiDialect& dialect, const DialectOptions& options,
                              std::string_view model) {
  if (options.max_tokens_field != MaxTokensField::kAuto) {
    return options.max_tokens_field == MaxTokensField::kMaxCompletionTokens;
  }
  return dialect.max_completion_tokens || IsOpenAiReasoner(model);
}

OpenAiDialect DialectOf(std::string_view base_url, const DialectOptions& options) {
  std::string_view host = HostOf(base_url);
  OpenAiDialect dialect;
  dialect.max_completion_tokens = host == "api.openai.com" || host.ends_with(".openai.azure.com");
  bool mistral = host == "api.mistral.ai" || host.ends_with(".mistral.ai");
  dialect.stream_options = Sends(options.stream_options, !mistral);
  dialect.user = Sends(options.user, !mistral);
  dialect.nine_character_ids = mistral;
  dialect.google_signatures = host.ends_with(".googleapis.com");
  dialect.empty_reasoning = host == "api.deepseek.com";
  return dialect;
}

std::unique_ptr<WireFormat> MakeOpenAiWire(std::string base_url, std::string provider,
                                           const DialectOptions& options) {
  return std::make_unique<OpenAiWire>(std::move(base_url), std::move(provider), options);
}

}  // namespace talon::model
