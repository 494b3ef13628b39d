// SPDX-License-Identifier: Apache-2.0
#include "hook/hooks.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace talon::hook {
namespace {

// A failure as what it means for the step.
Decision OnFailure(const Adviser& adviser, const absl::Status& error, Joinpoint at) {
  log::Warn(
      adviser.fail_open() ? "a hook failed and is skipped" : "a hook failed; refused",
      {{"hook", adviser.name()}, {"joinpoint", JoinpointName(at)}, {"status", StatusText(error)}});
  Decision decision;
  if (adviser.fail_open()) {
    decision.notes.push_back("it failed and was skipped");
    return decision;
  }
  decision.verdict = Verdict::kBlock;
  decision.reason =
      fmt::format("hook '{}' cannot answer now, and without it nothing passes", adviser.name());
  return decision;
}

}  // namespace

bool Hooks::Any(Joinpoint at) const {
  return std::ranges::any_of(advisers_, [at](const auto& each) { return each->Advises(at); });
}

io::Task<Advice> Hooks::Ask(Moment moment, CallContext context) {
  std::vector<Adviser*> asked;
  for (const auto& each : advisers_) {
    if (!each->Advises(moment.at)) continue;
    // Behind those of the same priority that were added before.
    const auto place = std::ranges::find_if(
        asked, [&](const Adviser* other) { return other->priority() < each->priority(); });
    asked.insert(place, each.get());
  }
  Advice advice;
  for (Adviser* adviser : asked) {
    auto said = co_await adviser->Advise(moment, context);
    if (said.ok() && said->verdict == Verdict::kAsk) {
      said = absl::UnimplementedError("a hook cannot ask for an approval");
    }
    Decision decision =
        said.ok() ? *std::move(said) : OnFailure(*adviser, said.status(), moment.at);
    const bool changes = decision.verdict != Verdict::kAllow;
    if (decision.verdict == Verdict::kRewrite) {
      moment.value = std::exchange(decision.value, {});
      advice.decision.verdict = Verdict::kRewrite;
    }
    if (decision.verdict == Verdict::kBlock) {
      if (decision.reason.empty()) decision.reason = "refused";
      advice.decision = decision;
      advice.decision.reason = fmt::format("hook '{}': {}", adviser->name(), decision.reason);
    }
    const bool ends = decision.verdict == Verdict::kBlock;
    if (changes || !decision.notes.empty()) {
      advice.remarks.push_back({adviser->name(), std::move(decision)});
    }
    if (ends) co_return advice;
  }
  if (advice.rewrites()) advice.decision.value = std::move(moment.value);
  co_return advice;
}

}  // namespace talon::hook
