// SPDX-License-Identifier: Apache-2.0
#include "agent/origins.h"

#include <fmt/format.h>

namespace talon::agent {
namespace {

using guard::Voice;

Voice VoiceOf(Integrity integrity) {
  switch (integrity) {
    case Integrity::kSystem:
    case Integrity::kUser:
      return Voice::kPerson;
    case Integrity::kTrusted:
      return Voice::kTrusted;
    case Integrity::kUntrusted:
      break;
  }
  return Voice::kUntrusted;
}

void AddMessage(const StoredMessage& stored, guard::Provenance& provenance) {
  const model::Message& message = stored.message;
  const Voice voice =
      message.role == model::Role::kAssistant ? Voice::kModel : VoiceOf(message.label.integrity);
  for (const model::Part& part : message.parts) {
    if (const auto* text = std::get_if<model::TextPart>(&part)) {
      const std::string_view who = voice == Voice::kPerson  ? "the user's message"
                                   : voice == Voice::kModel ? "the model's message"
                                                            : "a message from outside,";
      provenance.Add({voice, fmt::format("{} {}", who, stored.seq)}, text->text);
    } else if (const auto* call = std::get_if<model::ToolCall>(&part)) {
      // Its name too: whoever refuses it repeats that.
      provenance.Add({Voice::kCall, ""}, call->name + " " + call->arguments);
    } else if (const auto* result = std::get_if<model::ToolResult>(&part)) {
      // Nobody but a tool gives results, whoever handed them on.
      const Voice as = voice == Voice::kTrusted ? voice : Voice::kUntrusted;
      provenance.Add({as, fmt::format("the result of {} in message {}", result->name, stored.seq)},
                     result->content);
    }
  }
}

// What the person says in this turn.
std::string WordsOf(const Session& session, const TurnId& turn) {
  std::string words;
  for (const StoredMessage& stored : session.history) {
    if (stored.turn != turn || stored.message.role != model::Role::kUser) continue;
    if (VoiceOf(stored.message.label.integrity) != Voice::kPerson) continue;
    words += model::TextOf(stored.message) + "\n";
  }
  return words;
}

}  // namespace

const guard::Provenance& OriginsOf(const Core& core, Session& session, const TurnRun& run) {
  Origins& origins = session.origins;
  guard::Provenance& provenance = origins.provenance;
  if (origins.turn != run.turn) {
    origins.turn = run.turn;
    if (provenance.items() == 0) {
      for (const std::string& rule : core.options.rules) {
        provenance.Add({Voice::kOperator, "orchestrator.rules"}, rule);
      }
    }
    if (!run.input.instructions.empty()) {
      provenance.Add({Voice::kOperator, "the calling program's instructions"},
                     run.input.instructions);
    }
    provenance.BeginTurn(WordsOf(session, run.turn));
  }
  for (const StoredMessage& stored : session.history) {
    if (stored.seq <= origins.seq) continue;
    AddMessage(stored, provenance);
    origins.seq = stored.seq;
  }
  return provenance;
}

}  // namespace talon::agent
