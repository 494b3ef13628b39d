// SPDX-License-Identifier: Apache-2.0
// What a call tells and asks as the data of stream events (docs/api.md). Pure.
#pragma once

#include "agent/observer.h"
#include "base/json.h"

namespace talon::gateway {

Json ProgressJson(const agent::ToolProgress& progress);
Json QuestionJson(const agent::ToolQuestion& question);
Json QuestionClosedJson(const QuestionId& question, tool::AnswerAction action);

}  // namespace talon::gateway
