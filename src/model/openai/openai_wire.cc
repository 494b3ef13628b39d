// SPDX-License-Identifier: Apache-2.0
#include "model/wire.h"

#include <fmt/format.h>

#include "model/openai/dialect.h"
#include "model/openai/reader.h"
#include "model/openai/request.h"

namespace talon::model {
namespace {

class OpenAiWire : public WireFormat {
 public:
  OpenAiWire(std::string base_url, std::string provider)
      : url_(JoinUrl(base_url, "/chat/completions")),
        dialect_(DialectOf(base_url)),
        provider_(std::move(provider)) {}

  absl::StatusOr<std::string> Url(const ChatRequest&, Delivery) const override { return url_; }

  void AddHeaders(const Secret& api_key, io::Headers& headers) const override {
    if (api_key.empty()) return;
    headers.Set("authorization", fmt::format("Bearer {}", api_key.Reveal()));
  }

  std::string Body(const ChatRequest& request, const ModelEntry* entry,
                   Delivery delivery) override {
    return OpenAiRequest(request, entry, dialect_, provider_).Write(delivery);
  }

  std::unique_ptr<AnswerReader> NewReader() const override {
    return std::make_unique<OpenAiReader>();
  }

 private:
  const std::string url_;
  const OpenAiDialect dialect_;
  const std::string provider_;
};

}  // namespace

OpenAiDialect DialectOf(std::string_view base_url) {
  std::string_view host = HostOf(base_url);
  OpenAiDialect dialect;
  dialect.max_completion_tokens = host == "api.openai.com" || host.ends_with(".openai.azure.com");
  bool mistral = host == "api.mistral.ai" || host.ends_with(".mistral.ai");
  dialect.stream_options = !mistral;
  dialect.user = !mistral;
  dialect.nine_character_ids = mistral;
  dialect.google_signatures = host.ends_with(".googleapis.com");
  dialect.empty_reasoning = host == "api.deepseek.com";
  return dialect;
}

std::unique_ptr<WireFormat> MakeOpenAiWire(std::string base_url, std::string provider) {
  return std::make_unique<OpenAiWire>(std::move(base_url), std::move(provider));
}

}  // namespace talon::model
