// SPDX-License-Identifier: Apache-2.0
#include "agent/remains.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/flaw.h"
#include "base/json.h"
#include "base/text.h"
#include "model/codec.h"

namespace talon::agent {

void ReadSteps(const std::vector<journal::StepRecord>& steps, Remains& remains) {
  for (const journal::StepRecord& step : steps) {
    remains.last_step = std::max(remains.last_step, step.seq);
    auto data = ParseJson(step.data, "step");
    if (!data.ok()) continue;
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
