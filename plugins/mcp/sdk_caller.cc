// SPDX-License-Identifier: Apache-2.0
#include "mcp/sdk_caller.h"

#include "mcp/json_rpc.h"
#include "mcp/param_headers.h"
#include "talon/sdk/log.h"

namespace talon::plugins::mcp {

Answer SdkCaller::Ask(const Question& question) {
  sdk::Question asked{.text = question.text, .url = question.url};
  if (!question.schema_json.empty()) asked.form = sdk::Schema::FromJson(question.schema_json);
  const sdk::Answer answer = call_.Ask(asked);
  if (!answer.reason.empty()) {
    sdk::Log(sdk::LogLevel::kInfo, "a question was not shown: " + answer.reason);
  }
  switch (answer.action) {
    case sdk::AnswerAction::kAccept:
      return {.action = Answer::Action::kAccept, .content_json = Dump(answer.content.json())};
    case sdk::AnswerAction::kDecline:
      return {.action = Answer::Action::kDecline};
    case sdk::AnswerAction::kCancel:
      break;
  }
  return {};
}

std::string SdkCaller::person() const {
  const sdk::Actor& actor = call_.actor;
  return Dump({actor.tenant, actor.user, call_.session_id});
}

std::vector<std::pair<std::string, std::string>> SdkCaller::headers() const {
  const std::map<std::string, const std::string*> known = {{"user", &call_.actor.user},
                                                           {"tenant", &call_.actor.tenant},
                                                           {"agent", &call_.actor.agent},
                                                           {"origin", &call_.actor.origin},
                                                           {"session_id", &call_.session_id}};
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [header, source] : context_headers_) {
    const auto found = known.find(source);
    if (found != known.end()) out.emplace_back(header, HeaderValue(*found->second));
  }
  return out;
}

}  // namespace talon::plugins::mcp
