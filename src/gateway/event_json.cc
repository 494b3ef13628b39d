// SPDX-License-Identifier: Apache-2.0
#include "gateway/event_json.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace talon::gateway {

Json ProgressJson(const agent::ToolProgress& progress) {
  return {{"call_id", progress.call_id},
          {"tool", progress.tool},
          {"text", progress.text},
          {"done", progress.done},
          {"total", progress.total}};
}

Json QuestionJson(const agent::ToolQuestion& question) {
  Json json = {{"question", question.id.str()}, {"call_id", question.call_id},
               {"tool", question.tool},         {"plugin", question.plugin},
               {"text", question.text},         {"timeout_ms", question.timeout_ms}};
  if (auto schema = ParseJson(question.schema, "schema"); schema.ok()) {
    json["schema"] = *std::move(schema);
    json["fields"] = question.fields;
  }
  if (!question.url.empty()) json["url"] = question.url;
  return json;
}

Json QuestionClosedJson(const QuestionId& question, tool::AnswerAction action) {
  return {{"question", question.str()}, {"action", tool::AnswerActionName(action)}};
}

}  // namespace talon::gateway
