// SPDX-License-Identifier: Apache-2.0
#include "talk.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

namespace talon::test_plugin {
namespace {

using Json = nlohmann::json;

const char* NameOf(v1::AnswerAction action) {
  if (action == v1::ANSWER_ACTION_ACCEPT) return "accept";
  return action == v1::ANSWER_ACTION_DECLINE ? "decline" : "cancel";
}

v1::PluginMessage MessageOf(const Json& step, const v1::ExecuteRequest& request,
                            const std::string& heard) {
  v1::PluginMessage message;
  if (step.contains("progress")) {
    message.mutable_progress()->set_text(step.value("progress", ""));
    message.mutable_progress()->set_done(step.value("done", 0.0));
    message.mutable_progress()->set_total(step.value("total", 0.0));
  } else if (step.contains("question")) {
    message.mutable_question()->set_id(step.value("question", ""));
    message.mutable_question()->set_text(step.value("text", "?"));
    message.mutable_question()->set_schema_json(step.value("schema", ""));
    message.mutable_question()->set_url(step.value("url", ""));
  } else if (step.contains("result")) {
    message.mutable_result()->set_call_id(request.call_id());
    message.mutable_result()->set_content(step.value("result", "") + heard);
  }
  return message;  // empty: "empty"
}

}  // namespace

Failure RunScript(const v1::ExecuteRequest& request, const Lines& lines) {
  const Json arguments = Json::parse(request.arguments_json(), nullptr, false);
  std::string heard;
  for (const Json& step : arguments.value("script", Json::array())) {
    if (step.contains("exit")) _exit(step.value("exit", 3));
    if (step.contains("fail")) return {step.value("fail", 2), "failed as told"};
    if (step.contains("hear")) {
      v1::Answer answer;
      if (!lines.hear(&answer)) {
        heard += "[none]";
        continue;
      }
      heard += "[" + answer.question_id() + " " + NameOf(answer.action()) + " " +
               answer.content_json() + answer.reason() + "]";
      continue;
    }
    for (int times = step.value("times", 1); times > 0; --times) {
      if (!lines.say(MessageOf(step, request, heard))) return {1, "nobody listens"};
    }
  }
  return {};
}

}  // namespace talon::test_plugin
