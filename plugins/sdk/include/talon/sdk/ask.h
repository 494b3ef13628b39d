// SPDX-License-Identifier: Apache-2.0
// What a tool asks the person while it runs (Tool::asks), and the answer:
//
//   const Answer answer = call.Ask({.text = "Which size?",
//                                   .form = Object().Required("size", String().OneOf({"s",
//                                   "l"}))});
//   if (!answer.accepted()) return Result::Error("no size was chosen");
//   Order(answer.content.String("size"));
//
// The daemon shows the question to the person whose turn it is, with the plugin's name beside it.
// It declines for the person what it does not show: forms with nested fields or fields for secrets
// (send the person to a page of yours instead), links that are not https.
#pragma once

#include <string>

#include "talon/sdk/args.h"
#include "talon/sdk/schema.h"

namespace talon::sdk {

struct Question {
  std::string text;
  Schema form = {};      // plain values and lists of choices; empty = yes or no
  std::string url = {};  // instead of a form: a page where the person answers
};

enum class AnswerAction {
  kCancel,   // nobody answered, or nobody is there
  kDecline,  // the person, or the daemon for the person, said no
  kAccept,
};

struct Answer {
  AnswerAction action = AnswerAction::kCancel;
  Args content = {};        // fits the form; when accepted
  std::string reason = {};  // why the daemon did not show the question, for the author
  bool accepted() const { return action == AnswerAction::kAccept; }
};

}  // namespace talon::sdk
