// SPDX-License-Identifier: Apache-2.0
#include "plugin/plugin_model.h"

#include <utility>

#include "base/status.h"
#include "plugin/chat_codec.h"
#include "plugin/h2/wire.h"

namespace talon::plugin {
namespace {

// What a status of the plugin means to the router (proto/talon/v1/model.proto), or of the way to
// it.
ErrorReason ReasonFor(const absl::Status& error) {
  switch (ReasonOf(error)) {
    case ErrorReason::kNone:
      break;
    case ErrorReason::kPluginCrashed:
    case ErrorReason::kPluginMisbehaved:
      return ErrorReason::kTransport;
    default:
      return ReasonOf(error);
  }
  switch (error.code()) {
    case absl::StatusCode::kUnauthenticated:
      return ErrorReason::kAuth;
    case absl::StatusCode::kResourceExhausted:
      return ErrorReason::kRateLimited;
    case absl::StatusCode::kUnavailable:
      return ErrorReason::kOverloaded;
    case absl::StatusCode::kOutOfRange:
      return ErrorReason::kContextTooLong;
    case absl::StatusCode::kPermissionDenied:
      return ErrorReason::kContentFiltered;
    case absl::StatusCode::kInvalidArgument:
      return ErrorReason::kBadRequest;
    default:
      return ErrorReason::kTransport;
  }
}

absl::Status AsFault(const absl::Status& error) {
  absl::Status fault = MakeError(error.code(), ReasonFor(error), Message(error));
  const long ms = RetryAfterMsOf(error);
  return ms > 0 ? WithRetryAfter(std::move(fault), ms) : fault;
}

class PluginModel : public model::ModelSource {
 public:
  PluginModel(Host& host, std::string plugin, std::string provider)
      : host_(host), plugin_(std::move(plugin)), provider_(std::move(provider)) {}

  io::Task<absl::StatusOr<model::ChatResponse>> Complete(const model::ChatRequest& request,
                                                         CallContext context,
                                                         model::DeltaSink* sink) override {
    auto encoded = EncodeChatRequest(request, provider_);
    if (!encoded.ok()) co_return encoded.status();
    auto stream = co_await host_.Open(plugin_, kCompleteMethod, std::move(context));
    if (!stream.ok()) co_return AsFault(stream.status());
    const absl::Status written = co_await (*stream)->Write(*std::move(encoded));
    // A plugin that refused the call at once says why to who reads.
    if (!written.ok() && !absl::IsFailedPrecondition(written)) co_return AsFault(written);
    (*stream)->CloseWrites();
    auto response = co_await Read(**stream, sink);
    if (!response.ok()) co_return AsFault(response.status());
    co_return response;
  }

 private:
  static io::Task<absl::StatusOr<model::ChatResponse>> Read(PluginStream& stream,
                                                            model::DeltaSink* sink) {
    int calls = 0;
    while (true) {
      TALON_CO_ASSIGN_OR_RETURN(std::optional<std::string> bytes, co_await stream.Read());
      if (!bytes) co_return h2::Misbehaved("the answer broke off without its last part");
      TALON_CO_ASSIGN_OR_RETURN(ChatDelta delta, DecodeChatDelta(*bytes));
      if (auto* response = std::get_if<model::ChatResponse>(&delta)) {
        // The call's own end is awaited, so that it is not reset; the answer stands.
        (void)co_await stream.Read();
        co_return std::move(*response);
      }
      if (sink == nullptr) continue;
      if (const auto* text = std::get_if<TextDelta>(&delta)) sink->OnText(text->text);
      if (const auto* thought = std::get_if<ReasoningDelta>(&delta)) {
        sink->OnReasoning(thought->text);
      }
      if (const auto* call = std::get_if<CallDelta>(&delta)) {
        sink->OnToolCall(calls++, call->id, call->name);
      }
    }
  }

  Host& host_;
  const std::string plugin_;
  const std::string provider_;
};

}  // namespace

std::unique_ptr<model::ModelSource> MakePluginModel(Host& host, std::string plugin,
                                                    std::string provider) {
  return std::make_unique<PluginModel>(host, std::move(plugin), std::move(provider));
}

std::vector<model::ModelEntry> ModelsOf(const Manifest& manifest) {
  std::vector<model::ModelEntry> models;
  if (!manifest.models) return models;
  for (const Manifest::Model& model : *manifest.models) {
    model::ModelEntry entry;
    entry.id = model.id;
    if (model.context_window > 0) entry.context_window = model.context_window;
    entry.max_tokens = model.max_output_tokens;
    if (model.images) entry.input.emplace_back("image");
    if (!model.tools) entry.features.clear();
    models.push_back(std::move(entry));
  }
  return models;
}

}  // namespace talon::plugin
