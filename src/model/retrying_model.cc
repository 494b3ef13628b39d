// SPDX-License-Identifier: Apache-2.0
#include "model/retrying_model.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "model/retry.h"

namespace talon::model {

RetryingModel::RetryingModel(std::string provider, ProviderOptions options, const Clock& clock,
                             Sleep sleep)
    : provider_(std::move(provider)),
      options_(std::move(options)),
      clock_(clock),
      sleep_(std::move(sleep)),
      random_(std::random_device{}()) {}

io::Task<absl::StatusOr<ChatResponse>> RetryingModel::Complete(ChatRequest request,
                                                               CallContext context,
                                                               DeltaSink* sink) {
  // An answer that comes in one piece shows no progress on its way: it gets less time.
  const auto longest = sink == nullptr ? std::min(options_.timeout, options_.whole_answer_timeout)
                                       : options_.timeout;
  context = context.Until(clock_.SteadyNow() + longest);
  RetryPlan plan(options_, context.deadline, static_cast<std::uint32_t>(random_()));
  for (;;) {
    bool delivered = false;
    absl::StatusOr<ChatResponse> answer = co_await Try(request, context, sink, &delivered);
    if (answer.ok() && answer->model.empty()) answer->model = request.model;
    if (answer.ok() || delivered) co_return answer;
    auto wait = plan.Next(answer.status(), clock_.SteadyNow());
    if (!wait) co_return answer;
    log::Debug("model request is tried again", {{"provider", provider_},
                                                {"model", request.model},
                                                {"attempt", plan.attempts()},
                                                {"wait_ms", wait->count()},
                                                {"status", StatusText(answer.status())}});
    absl::Status slept = co_await sleep_(clock_.SteadyNow() + *wait, context);
    if (!slept.ok()) {
      co_return context.cancel.cancelled() ? Annotate(slept, "model '" + provider_ + "'")
                                           : answer.status();
    }
  }
}

}  // namespace talon::model
