// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <unordered_map>

#include "base/status.h"
#include "model/google/reader.h"
#include "model/google/request.h"
#include "model/google/schema.h"
#include "model/wire.h"

namespace talon::model {
namespace {

constexpr std::size_t kMaxKeptSchemas = 1024;

class GoogleWire : public WireFormat {
 public:
  GoogleWire(std::string base_url, std::string provider)
      : base_url_(std::move(base_url)), provider_(std::move(provider)) {}

  absl::StatusOr<std::string> Url(const ChatRequest& request, Delivery delivery) const override;

  void AddHeaders(const Secret& api_key, io::Headers& headers) const override {
    if (!api_key.empty()) headers.Set("x-goog-api-key", api_key.Reveal());
  }

  std::string Body(const ChatRequest& request, const ModelEntry* entry, Delivery) override {
    if (schemas_.size() > kMaxKeptSchemas) schemas_.clear();
    SchemaSource source = [this](const std::string& schema) -> const std::string& {
      auto found = schemas_.find(schema);
      if (found == schemas_.end()) found = schemas_.emplace(schema, CleanSchema(schema)).first;
      return found->second;
    };
    return GoogleRequest(request, entry, provider_, source).Write();
  }

  std::unique_ptr<AnswerReader> NewReader() const override {
    return std::make_unique<GoogleReader>();
  }

 private:
  const std::string base_url_;
  const std::string provider_;
  std::unordered_map<std::string, std::string> schemas_;  // cleaned, by the original text
};

absl::StatusOr<std::string> GoogleWire::Url(const ChatRequest& request, Delivery delivery) const {
  std::string_view name = request.model;
  std::string_view folder = "models";
  if (std::size_t slash = name.find('/'); slash != std::string_view::npos) {
    folder = name.substr(0, slash);
    name.remove_prefix(slash + 1);
  }
  // The name becomes a part of the address.
  bool known = folder == "models" || folder == "tunedModels";
  if (!known || name.empty() || name == "." || name == ".." ||
      name.find('/') != std::string_view::npos) {
    return MakeError(absl::StatusCode::kNotFound, ErrorReason::kUnknownModel,
                     fmt::format("model '{}/{}': not a Gemini model name", provider_,
                                 request.model.substr(0, 100)));
  }
  bool stream = delivery == Delivery::kStream;
  std::string url =
      JoinUrl(base_url_, fmt::format("/{}/{}:{}", folder, io::PercentEncode(name),
                                     stream ? "streamGenerateContent" : "generateContent"));
  if (stream) url += url.find('?') == std::string::npos ? "?alt=sse" : "&alt=sse";
  return url;
}

}  // namespace

std::unique_ptr<WireFormat> MakeGoogleWire(std::string base_url, std::string provider) {
  return std::make_unique<GoogleWire>(std::move(base_url), std::move(provider));
}

}  // namespace talon::model
