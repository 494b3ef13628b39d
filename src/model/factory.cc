// SPDX-License-Identifier: Apache-2.0
#include "model/factory.h"

#include <fmt/format.h>

#include "base/status.h"
#include "base/text.h"
#include "io/loop.h"
#include "model/http_model.h"
#include "model/wire.h"

namespace talon::model {
namespace {

std::string_view PublicEndpoint(Wire wire) {
  switch (wire) {
    case Wire::kOpenAi:
      return "https://api.openai.com/v1";
    case Wire::kAnthropic:
      return "https://api.anthropic.com";
    case Wire::kGoogle:
      return "https://generativelanguage.googleapis.com/v1beta";
    case Wire::kReflex:
      break;
  }
  return "";
}

bool IsCredentialHeader(std::string_view name) {
  std::string lower = ToLowerAscii(name);
  for (std::string_view word : {"auth", "key", "token", "secret", "cookie"}) {
    if (lower.find(word) != std::string::npos) return true;
  }
  return false;
}

std::unique_ptr<WireFormat> MakeWire(const ProviderOptions& options, std::string base_url,
                                     const std::string& provider) {
  switch (options.api) {
    case Wire::kAnthropic:
      return MakeAnthropicWire(std::move(base_url), provider, options.default_max_tokens);
    case Wire::kGoogle:
      return MakeGoogleWire(std::move(base_url), provider);
    case Wire::kOpenAi:
    case Wire::kReflex:
      break;
  }
  return MakeOpenAiWire(std::move(base_url), provider, options.dialect);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChatModel>> MakeChatModel(const std::string& provider_name,
                                                         const ProviderOptions& options,
                                                         ModelDependencies dependencies) {
  if (options.api == Wire::kReflex) return MakeReflexModel(dependencies.clock);
  std::string base_url(TrimSpace(options.base_url));
  if (base_url.empty()) base_url = PublicEndpoint(options.api);
  if (!base_url.starts_with("https://") && !base_url.starts_with("http://")) {
    return InvalidArgument(fmt::format(
        "models.providers.{}: base_url must begin with http:// or https://", provider_name));
  }
  dependencies.redactor.Register(options.api_key);
  for (const auto& [name, value] : options.headers) {
    // Without a scheme such as "Bearer": the credential may be quoted alone.
    if (IsCredentialHeader(name)) {
      dependencies.redactor.Register(Secret(value.Reveal().substr(value.Reveal().rfind(' ') + 1)));
    }
  }
  io::Loop* loop = &dependencies.loop;
  Sleep sleep = [loop](SteadyTime until, CallContext context) {
    return loop->SleepUntil(until, std::move(context));
  };
  return std::make_unique<HttpModel>(provider_name, options,
                                     MakeWire(options, std::move(base_url), provider_name),
                                     dependencies, std::move(sleep));
}

}  // namespace talon::model
