// SPDX-License-Identifier: Apache-2.0
// `orchestrator:` of talon.yaml: the turn loop's limits. Every default stands here once.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "base/option_limit.h"

namespace talon::agent {

struct OrchestratorOptions {
  std::vector<std::string> rules;
  std::uint32_t max_rounds_chat = 30;
  std::uint32_t max_rounds_task = 20;
  std::uint32_t max_concurrent_sessions = 256;
  std::uint32_t max_queued_turns = 100;
  std::uint32_t max_parallel_calls = 8;
  std::uint32_t max_calls_per_round = 32;
  std::uint32_t max_input_messages = 1000;
  std::uint32_t max_key_bytes = 512;
  std::uint32_t max_repairs = 2;
  std::uint32_t max_resumptions = 5;
  std::uint32_t no_progress_rounds = 5;
  std::uint32_t context_messages = 200;
  std::uint32_t eager_tools = 24;
  std::uint32_t cached_sessions = 128;
  std::chrono::milliseconds turn_timeout{30 * 60 * 1000};
  std::chrono::milliseconds question_timeout{10 * 60 * 1000};
  std::uint32_t max_questions = 16;
  std::chrono::milliseconds approval_timeout{60 * 60 * 1000};
  std::uint32_t max_code_tries = 5;
  std::chrono::milliseconds progress_interval{100};
  std::string prompts_dir;

  static constexpr auto Fields() {
    using O = OrchestratorOptions;
    return std::make_tuple(
        Option("rules", &O::rules, "Rules appended to the built-in safety rules of every session."),
        Option("max_rounds_chat", &O::max_rounds_chat, kPositive,
               "Tool rounds of a chat turn; then the model must answer in text."),
        Option("max_rounds_task", &O::max_rounds_task, kPositive,
               "Tool rounds of an unattended task."),
        Option("max_concurrent_sessions", &O::max_concurrent_sessions, kPositive,
               "Sessions with a turn under way; further turns wait."),
        Option("max_queued_turns", &O::max_queued_turns,
               "Turns waiting in one session; more are refused."),
        Option("max_parallel_calls", &O::max_parallel_calls, kPositive,
               "Read-only tool calls of one answer that run at once."),
        Option("max_calls_per_round", &O::max_calls_per_round, kPositive,
               "Tool calls of one answer; the rest is refused."),
        Option("max_input_messages", &O::max_input_messages, kPositive,
               "Messages of one request; more are refused."),
        Option("max_key_bytes", &O::max_key_bytes, kPositive,
               "Longest session key and idempotency key, in bytes."),
        Option("max_repairs", &O::max_repairs,
               "Answers asked for again within one turn: empty ones, and calls with malformed "
               "arguments."),
        Option("max_resumptions", &O::max_resumptions,
               "Restarts after which a turn is taken up without getting a step further; then it "
               "has failed."),
        Option(
            "no_progress_rounds", &O::no_progress_rounds, kPositive,
            "Rounds in a row in which no call succeeds or all repeat; then the model must answer."),
        Option("context_messages", &O::context_messages, kPositive,
               "Most messages of a session sent to the model."),
        Option("eager_tools", &O::eager_tools,
               "With more tools than this, only names are sent and schemas on demand."),
        Option("cached_sessions", &O::cached_sessions,
               "Idle sessions whose recent messages stay in memory."),
        Option("turn_timeout", &O::turn_timeout, kPositive,
               "Longest turn, over restarts; the time in which no daemon ran is not counted."),
        Option("question_timeout", &O::question_timeout, kPositive,
               "Longest wait for the person's answer to a tool's question."),
        Option("max_questions", &O::max_questions,
               "Questions one tool call may ask; further ones are declined."),
        Option("approval_timeout", &O::approval_timeout,
               "Longest wait for the person's approval of a call, over restarts; then it has "
               "expired."),
        Option("max_code_tries", &O::max_code_tries,
               "Wrong one-time codes after which a call is denied."),
        Option("progress_interval", &O::progress_interval,
               "Least time between two lines of progress of one call; others are dropped."),
        Option("prompts_dir", &O::prompts_dir,
               "Folder whose files replace the built-in prompts of the same name."));
  }
};

}  // namespace talon::agent
