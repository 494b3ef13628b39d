// SPDX-License-Identifier: Apache-2.0
#include "agent/remains.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "agent/flaw.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "model/codec.h"

namespace talon::agent {

namespace {

// Time runs from step to step, but not until the step that a later process begins with, nor while
// the person is asked.
void CountTime(const journal::StepRecord& step, std::optional<WallTime>& before, Remains& remains) {
  if (before && step.kind != journal::StepKind::kResumed &&
      step.kind != journal::StepKind::kApprovalAnswered) {
    remains.spent += std::max(step.at - *before, std::chrono::microseconds(0));
  }
  before = step.at;
}

void CountResumptions(const journal::StepRecord& step, const Json& data, Remains& remains) {
  switch (step.kind) {
    case journal::StepKind::kResumed:
      // A turn that waits for the person gets no further, and that is no fault of its own.
      if (remains.waits) break;
      remains.resumptions += JsonString(data, "after") == kAfterRestart ? 1 : 0;
      break;
    case journal::StepKind::kApprovalAsked:
    case journal::StepKind::kApprovalAnswered:
      remains.waits = step.kind == journal::StepKind::kApprovalAsked;
      remains.resumptions = 0;
      break;
    case journal::StepKind::kModelFinished:
    case journal::StepKind::kModelFailed:
    case journal::StepKind::kToolFinished:
    case journal::StepKind::kRepair:
      remains.resumptions = 0;
      break;
    default:
      break;
  }
}

void RefillGuard(const Json& data, LoopGuard& loop_guard) {
  const Json* seen = JsonFind(data, "seen");
  if (seen == nullptr || !seen->is_array() || seen->size() != 3) return;
  const Json &call = (*seen)[0], &result = (*seen)[1], &progress = (*seen)[2];
  if (!call.is_number_unsigned() || !result.is_number_unsigned() || !progress.is_boolean()) return;
  loop_guard.Refill({.call = call.get<std::uint64_t>(),
                     .result = result.get<std::uint64_t>(),
                     .progress = progress.get<bool>()});
}

}  // namespace

void ReadSteps(const std::vector<journal::StepRecord>& steps, Remains& remains,
               LoopGuard& loop_guard) {
  std::optional<WallTime> before;
  bool called = false;  // a tool, since the last answer
  for (const journal::StepRecord& step : steps) {
    remains.last_step = std::max(remains.last_step, step.seq);
    CountTime(step, before, remains);
    auto data = ParseJson(step.data, "step");
    if (!data.ok()) continue;
    CountResumptions(step, *data, remains);
    if (step.kind == journal::StepKind::kToolFinished) {
      RefillGuard(*data, loop_guard);
      called = true;
    }
    // The last round is ended by who finishes it.
    if (step.kind == journal::StepKind::kModelFinished && std::exchange(called, false)) {
      loop_guard.EndRound();
    }
    if (step.kind == journal::StepKind::kModelFinished) {
      // Calls of an earlier answer are over, and their ids may come again.
      remains.intended.clear();
      remains.model = JsonString(*data, "model");
      remains.cost_usd += JsonDouble(*data, "cost_usd");
      auto usage = model::DecodeUsage(JsonString(*data, "usage"));
      if (usage.ok()) remains.usage = remains.usage + *usage;
    } else if (step.kind == journal::StepKind::kRepair) {
      const std::string kind = JsonString(*data, "kind");
      remains.repairs += kind == kEmptyAnswer || kind == kMalformedCall ? 1 : 0;
    } else if (step.kind == journal::StepKind::kToolIntended) {
      const IntendedCall call{.effect_key = JsonString(*data, "effect_key"),
                              .arguments = JsonString(*data, "arguments"),
                              .read_only = JsonBool(*data, "read_only")};
      remains.effects |= !call.read_only;
      remains.intended[JsonString(*data, "call_id")] = call;
    }
  }
}

bool ReadMessages(const Session& session, const TurnId& turn, std::size_t input_messages,
                  Remains& remains) {
  std::size_t seen = 0;
  for (const StoredMessage& stored : session.history) {
    if (stored.turn != turn || ++seen <= input_messages) continue;
    if (stored.message.role == model::Role::kAssistant) {
      ++remains.rounds;
      std::string text(TrimSpace(model::TextOf(stored.message)));
      if (!text.empty()) remains.texts.push_back(std::move(text));
      remains.calls = model::ToolCallsOf(stored.message);
      remains.calls_seq = stored.seq;
      remains.done.clear();
    }
    for (const model::Part& part : stored.message.parts) {
      if (const auto* result = std::get_if<model::ToolResult>(&part)) {
        remains.done.insert(result->call_id);
      }
    }
  }
  return seen > 0;
}

}  // namespace talon::agent
