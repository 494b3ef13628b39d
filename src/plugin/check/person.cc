// SPDX-License-Identifier: Apache-2.0
#include "plugin/check/person.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "guard/question.h"
#include "io/loop.h"
#include "plugin/check/sample.h"

namespace talon::plugin::check {

CallContext Person::Listening(CallContext context) {
  call_ = CancelSource(context.cancel);
  context.cancel = call_.token();
  return context;
}

void Person::Blame(std::string fault) {
  if (fault_.empty()) fault_ = std::move(fault);
}

void Person::HangUp() {
  if (manner_ != Manner::kHangsUp) return;
  loop_.Post([call = call_]() mutable { call.Cancel(Cancelled("given up by the check")); });
}

void Person::OnProgress(const tool::Progress& progress) {
  ++heard_;
  if (!IsValidUtf8(progress.text)) Blame("the text of a progress message is not valid UTF-8");
  if (!std::isfinite(progress.done) || !std::isfinite(progress.total) || progress.done < 0 ||
      progress.total < 0) {
    Blame(fmt::format("a progress message says {} of {}", progress.done, progress.total));
  }
  HangUp();
}

io::Task<tool::Answer> Person::Ask(tool::Question question, CallContext) {
  ++asked_;
  HangUp();
  tool::Answer answer;
  const auto admitted = guard::AdmitQuestion(question, guard::GuardOptions());
  if (!admitted.ok()) {
    Blame(fmt::format("the daemon would not pass its question on: {}", Message(admitted.status())));
    co_return answer;
  }
  if (manner_ == Manner::kDeclines) answer.action = tool::AnswerAction::kDecline;
  if (manner_ != Manner::kAccepts) co_return answer;
  const auto samples = admitted->schema.empty() ? std::nullopt : MakeSamples(admitted->schema);
  // What nothing can be made up for is declined.
  const bool accepts = admitted->schema.empty() || samples;
  answer.action = accepts ? tool::AnswerAction::kAccept : tool::AnswerAction::kDecline;
  if (samples) answer.content = samples->fitting;
  co_return answer;
}

}  // namespace talon::plugin::check
