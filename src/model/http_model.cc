// SPDX-License-Identifier: Apache-2.0
#include "model/http_model.h"

#include <algorithm>

#include "base/log.h"
#include "base/status.h"
#include "model/retry.h"

namespace talon::model {

HttpModel::HttpModel(std::string provider, ProviderOptions options,
                     std::unique_ptr<WireFormat> wire, ModelDependencies dependencies, Sleep sleep)
    : provider_(std::move(provider)),
      options_(std::move(options)),
      wire_(std::move(wire)),
      sleep_(std::move(sleep)),
      around_{dependencies.loop, dependencies.http, dependencies.redactor, dependencies.clock,
              options_},
      random_(std::random_device{}()) {}

const ModelEntry* HttpModel::Entry(const std::string& model) const {
  auto found = std::find_if(options_.models.begin(), options_.models.end(),
                            [&model](const ModelEntry& entry) { return entry.id == model; });
  return found == options_.models.end() ? nullptr : &*found;
}

absl::StatusOr<io::HttpRequest> HttpModel::Build(const ChatRequest& request, Delivery delivery) {
  TALON_RETURN_IF_ERROR(wire_->Check(request));
  io::HttpRequest http;
  http.method = "POST";
  TALON_ASSIGN_OR_RETURN(http.url, wire_->Url(request, delivery));
  http.headers.Set("content-type", "application/json");
  http.headers.Set("accept",
                   delivery == Delivery::kStream ? "text/event-stream" : "application/json");
  wire_->AddHeaders(options_.api_key, http.headers);
  for (const auto& [name, value] : options_.headers) http.headers.Set(name, value.Reveal());
  http.body = wire_->Body(request, Entry(request.model), delivery);
  return http;
}

io::Task<absl::StatusOr<ChatResponse>> HttpModel::Complete(ChatRequest request, CallContext context,
                                                           DeltaSink* sink) {
  const Clock& clock = around_.clock;
  const Delivery delivery = sink == nullptr ? Delivery::kWhole : Delivery::kStream;
  const auto longest = delivery == Delivery::kWhole
                           ? std::min(options_.timeout, options_.whole_answer_timeout)
                           : options_.timeout;
  context = context.Until(clock.SteadyNow() + longest);
  RetryPlan plan(options_, context.deadline, static_cast<std::uint32_t>(random_()));
  for (;;) {
    // Written anew for each try: tries after the first are rare, and a copy is not free.
    TALON_CO_ASSIGN_OR_RETURN(io::HttpRequest http, Build(request, delivery));
    Exchange exchange(around_, {provider_, request.model}, wire_->NewReader(), sink, context);
    absl::StatusOr<ChatResponse> answer = co_await exchange.Run(std::move(http), delivery);
    if (answer.ok() && answer->model.empty()) answer->model = request.model;
    if (answer.ok() || exchange.delivered()) co_return answer;
    auto wait = plan.Next(answer.status(), clock.SteadyNow());
    if (!wait) co_return answer;
    log::Debug("model request is tried again", {{"provider", provider_},
                                                {"model", request.model},
                                                {"attempt", plan.attempts()},
                                                {"wait_ms", wait->count()},
                                                {"status", StatusText(answer.status())}});
    absl::Status slept = co_await sleep_(clock.SteadyNow() + *wait, context);
    if (!slept.ok()) {
      co_return context.cancel.cancelled() ? Annotate(slept, "model '" + provider_ + "'")
                                           : answer.status();
    }
  }
}

}  // namespace talon::model
