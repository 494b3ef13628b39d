// SPDX-License-Identifier: Apache-2.0
// A tool call under way: its time, its progress and the questions it asks the person. The time of a
// tool that asks stands still while a question is open. A question goes to the observers of the
// turn and to nobody else; where nobody watches, or the turn is an unattended task, the answer is
// "cancel" at once. Question and answer are recorded before the next takes effect. Loop's thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/core.h"
#include "agent/session.h"
#include "agent/turn_writer.h"
#include "guard/question.h"
#include "io/loop.h"
#include "tool/events.h"
#include "tool/tool.h"

namespace talon::agent {

class LiveCall : public tool::CallEvents {
 public:
  // All must outlive this. `deadline`: when the call must have answered.
  LiveCall(Core& core, TurnRun& run, TurnWriter& writer, const tool::ToolSpec& spec,
           std::string call_id, SteadyTime deadline);
  ~LiveCall() override;

  // What the tool is given: ends with the turn and when the call's time is over.
  const CallContext& context() const { return context_; }

  void OnProgress(const tool::Progress& progress) override;
  io::Task<tool::Answer> Ask(tool::Question question, CallContext context) override;

 private:
  void StopTime();
  void RunTime();
  // Shows the question and waits for its end.
  io::Task<tool::Answer> Wait(const QuestionId& id, const guard::AdmittedQuestion& admitted,
                              const CallContext& context);
  io::Task<absl::Status> RecordQuestion(const QuestionId& id,
                                        const guard::AdmittedQuestion& admitted);
  io::Task<absl::Status> RecordAnswer(const QuestionId& id, const tool::Answer& answer);

  Core& core_;
  TurnRun& run_;
  TurnWriter& writer_;
  const tool::ToolSpec& spec_;
  const std::string call_id_;
  CallContext context_;
  CancelSource over_;  // when the time of a tool that asks is over
  io::TimerId timer_;
  SteadyTime deadline_;
  SteadyTime stopped_at_{};
  int open_ = 0;  // questions
  std::uint32_t asked_ = 0;
  SteadyTime next_progress_{};
};

// The person's answer, checked and on its way when this ends. See Agent::Answer.
io::Task<absl::Status> AnswerQuestion(TurnRun& run, QuestionId id, tool::AnswerAction action,
                                      std::string content);
// Nobody watches through `observer` any more.
void LeaveQuestions(TurnRun& run, TurnObserver* observer);

}  // namespace talon::agent
