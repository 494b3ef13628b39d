// SPDX-License-Identifier: Apache-2.0
#include "gateway/call_events.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "io/sse.h"

namespace talon::gateway {

std::string CallEvents::ToolProgress(const agent::ToolProgress& progress) {
  return io::FormatSse("tool_progress", DumpJson({{"call_id", progress.call_id},
                                                  {"tool", progress.tool},
                                                  {"text", progress.text},
                                                  {"done", progress.done},
                                                  {"total", progress.total}}));
}

std::string CallEvents::Question(const agent::ToolQuestion& question) {
  Json json = {{"question", question.id.str()}, {"call_id", question.call_id},
               {"tool", question.tool},         {"plugin", question.plugin},
               {"text", question.text},         {"timeout_ms", question.timeout_ms}};
  if (auto schema = ParseJson(question.schema, "schema"); schema.ok()) {
    json["schema"] = *std::move(schema);
    json["fields"] = question.fields;
  }
  if (!question.url.empty()) json["url"] = question.url;
  return io::FormatSse("question", DumpJson(json));
}

std::string CallEvents::QuestionClosed(const QuestionId& question, tool::AnswerAction action) {
  return io::FormatSse("question_closed", DumpJson({{"question", question.str()},
                                                    {"action", tool::AnswerActionName(action)}}));
}

}  // namespace talon::gateway
