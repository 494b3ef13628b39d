// SPDX-License-Identifier: Apache-2.0
// What a call tells and asks while it runs, as events of a native stream (docs/api.md). Pure.
#pragma once

#include <string>

#include "gateway/turn_stream.h"

namespace talon::gateway {

class CallEvents : public StreamFormat {
 public:
  std::string ToolProgress(const agent::ToolProgress& progress) override;
  std::string Question(const agent::ToolQuestion& question) override;
  std::string QuestionClosed(const QuestionId& question, tool::AnswerAction action) override;
};

}  // namespace talon::gateway
