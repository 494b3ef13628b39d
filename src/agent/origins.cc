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
      const std::string_view who = voice == Voice::kPerson    ? "the user's message"
                                   : voice == Voice::kModel   ? "the model's message"
                                   : voice == Voice::kTrusted ? "a hook's words in message"
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

bool IsPersons(const model::Message& message) {
  return message.role == model::Role::kUser && VoiceOf(message.label.integrity) == Voice::kPerson;
}

// What the person said in this turn, where a hook made something else of it. After a restart only
// the turn's input still has it.
std::string WordsBeforeHooks(const TurnRun& run) {
  if (!run.own_words.empty()) return run.own_words;
  std::string words;
  for (const model::Message& message : run.input.messages) {
    if (IsPersons(message)) words += model::TextOf(message) + "\n";
  }
  return words;
}

// What the person says in this turn.
std::string WordsOf(const Session& session, const TurnRun& run) {
  std::string words;
  bool rewritten = false;
  for (const StoredMessage& stored : session.history) {
    if (stored.turn != run.turn || stored.message.role != model::Role::kUser) continue;
    rewritten |= stored.message.label.integrity == Integrity::kTrusted;
    if (IsPersons(stored.message)) words += model::TextOf(stored.message) + "\n";
  }
  return rewritten ? words + WordsBeforeHooks(run) : words;
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
      const Voice voice = run.advised_instructions ? Voice::kTrusted : Voice::kOperator;
      provenance.Add({voice, "the calling program's instructions"}, run.input.instructions);
    }
    const std::string words = WordsOf(session, run);
    if (!run.own_words.empty()) {
      provenance.Add({Voice::kPerson, "the user's message before hooks"}, run.own_words);
    }
    provenance.BeginTurn(words);
  }
  for (const StoredMessage& stored : session.history) {
    if (stored.seq <= origins.seq) continue;
    AddMessage(stored, provenance);
    origins.seq = stored.seq;
  }
  return provenance;
}

}  // namespace talon::agent
