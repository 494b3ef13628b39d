// SPDX-License-Identifier: Apache-2.0
// Makes the adapter of a provider. `http`, `loop`, `redactor` and `clock` must outlive it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/secret.h"
#include "io/http_client.h"
#include "model/chat_model.h"
#include "model/options.h"
#include "model/source.h"

namespace talon::model {

struct ModelDependencies {
  io::Loop& loop;
  io::HttpClient& http;
  Redactor& redactor;  // the adapter registers its key
  const Clock& clock;
  MakeSource source = nullptr;  // without one `api: plugin` is refused
};

// One ChatModel per provider: ChatRequest::model chooses the model. Retries rate limits, overload
// and transport errors as `options` say, before the first delta only.
absl::StatusOr<std::unique_ptr<ChatModel>> MakeChatModel(const std::string& provider_name,
                                                         const ProviderOptions& options,
                                                         ModelDependencies dependencies);

// "no language model is configured": deterministic, no network. See model/reflex/.
std::unique_ptr<ChatModel> MakeReflexModel(const Clock& clock);

}  // namespace talon::model
