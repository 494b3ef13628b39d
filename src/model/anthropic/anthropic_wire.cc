// SPDX-License-Identifier: Apache-2.0
#include "model/anthropic/reader.h"
#include "model/anthropic/request.h"
#include "model/wire.h"

namespace talon::model {
namespace {

class AnthropicWire : public WireFormat {
 public:
  AnthropicWire(const std::string& base_url, std::string provider, std::int64_t default_max_tokens)
      : url_(EndpointOf(base_url)),
        provider_(std::move(provider)),
        default_max_tokens_(default_max_tokens) {}

  absl::StatusOr<std::string> Url(const ChatRequest&, Delivery) const override { return url_; }

  void AddHeaders(const Secret& api_key, io::Headers& headers) const override {
    headers.Set("anthropic-version", "2023-06-01");
    if (!api_key.empty()) headers.Set("x-api-key", api_key.Reveal());
  }

  std::string Body(const ChatRequest& request, const ModelEntry* entry,
                   Delivery delivery) override {
    return AnthropicRequest(request, entry, provider_, default_max_tokens_).Write(delivery);
  }

  std::unique_ptr<AnswerReader> NewReader() const override {
    return std::make_unique<AnthropicReader>();
  }

 private:
  // People write the address with and without its version.
  static std::string EndpointOf(const std::string& base_url) {
    std::string_view before = std::string_view(base_url).substr(0, base_url.find('?'));
    while (before.ends_with('/')) before.remove_suffix(1);
    if (before.ends_with("/v1/messages")) return base_url;
    return JoinUrl(base_url, before.ends_with("/v1") ? "/messages" : "/v1/messages");
  }

  const std::string url_;
  const std::string provider_;
  const std::int64_t default_max_tokens_;
};

}  // namespace

std::unique_ptr<WireFormat> MakeAnthropicWire(std::string base_url, std::string provider,
                                              std::int64_t default_max_tokens) {
  return std::make_unique<AnthropicWire>(base_url, std::move(provider), default_max_tokens);
}

}  // namespace talon::model
