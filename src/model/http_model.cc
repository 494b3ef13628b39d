// SPDX-License-Identifier: Apache-2.0
#include "model/http_model.h"

#include <algorithm>

#include "base/status.h"

namespace talon::model {

HttpModel::HttpModel(std::string provider, ProviderOptions options,
                     std::unique_ptr<WireFormat> wire, ModelDependencies dependencies, Sleep sleep)
    : RetryingModel(std::move(provider), std::move(options), dependencies.clock, std::move(sleep)),
      wire_(std::move(wire)),
      around_{dependencies.loop, dependencies.http, dependencies.redactor, dependencies.clock,
              RetryingModel::options()} {}

const ModelEntry* HttpModel::Entry(const std::string& model) const {
  auto found = std::find_if(options().models.begin(), options().models.end(),
                            [&model](const ModelEntry& entry) { return entry.id == model; });
  return found == options().models.end() ? nullptr : &*found;
}

absl::StatusOr<io::HttpRequest> HttpModel::Build(const ChatRequest& request, Delivery delivery) {
  TALON_RETURN_IF_ERROR(wire_->Check(request));
  io::HttpRequest http;
  http.method = "POST";
  TALON_ASSIGN_OR_RETURN(http.url, wire_->Url(request, delivery));
  http.headers.Set("content-type", "application/json");
  http.headers.Set("accept",
                   delivery == Delivery::kStream ? "text/event-stream" : "application/json");
  wire_->AddHeaders(options().api_key, http.headers);
  for (const auto& [name, value] : options().headers) http.headers.Set(name, value.Reveal());
  http.body = wire_->Body(request, Entry(request.model), delivery);
  return http;
}

io::Task<absl::StatusOr<ChatResponse>> HttpModel::Try(const ChatRequest& request,
                                                      const CallContext& context, DeltaSink* sink,
                                                      bool* delivered) {
  const Delivery delivery = sink == nullptr ? Delivery::kWhole : Delivery::kStream;
  // Written anew for each try: tries after the first are rare, and a copy is not free.
  TALON_CO_ASSIGN_OR_RETURN(io::HttpRequest http, Build(request, delivery));
  Exchange exchange(around_, {provider(), request.model}, wire_->NewReader(), sink, context);
  absl::StatusOr<ChatResponse> answer = co_await exchange.Run(std::move(http), delivery);
  *delivered = exchange.delivered();
  co_return answer;
}

}  // namespace talon::model
