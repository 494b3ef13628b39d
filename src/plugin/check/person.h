// SPDX-License-Identifier: Apache-2.0
// The person of a checked call: hears its progress and answers its questions in one manner, and
// notes the first thing that the daemon would not have passed on. Loop's thread.
#pragma once

#include <cstddef>
#include <string>

#include "base/call_context.h"
#include "base/cancel.h"
#include "io/task.h"
#include "tool/events.h"

namespace talon::io {
class Loop;
}

namespace talon::plugin::check {

enum class Manner {
  kAccepts,   // with made-up content that fits
  kDeclines,  // each question
  kAbsent,    // nobody answers
  kHangsUp,   // gives the call up at its first word
};

class Person : public tool::CallEvents {
 public:
  Person(io::Loop& loop, Manner manner) : loop_(loop), manner_(manner) {}

  // The call's context, which this person can end.
  CallContext Listening(CallContext context);

  void OnProgress(const tool::Progress& progress) override;
  io::Task<tool::Answer> Ask(tool::Question question, CallContext context) override;

  std::size_t heard() const { return heard_; }
  std::size_t asked() const { return asked_; }
  const std::string& fault() const { return fault_; }  // empty: none

 private:
  void Blame(std::string fault);
  void HangUp();

  io::Loop& loop_;
  const Manner manner_;
  CancelSource call_;
  std::size_t heard_ = 0, asked_ = 0;
  std::string fault_;
};

}  // namespace talon::plugin::check
