// SPDX-License-Identifier: Apache-2.0
// A script as read from YAML: what to answer to which request, and how it is delivered. The format
// is in README.md. Plain data.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace talon::mockllm {

// What answers a request that no rule and no exchange fits.
enum class Mode { kScripted, kReplay, kEcho, kObedient };

struct Call {
  std::string tool;
  std::string args = "{}";  // as the model writes it, not necessarily JSON
  std::string id;           // empty: made up
};

struct Usage {
  int input = 10, output = 5, cached = 0, reasoning = 0;
};

struct Answer {
  std::string text, reasoning;
  std::vector<Call> calls;
  std::string finish;  // the wire's word as it is; empty: stop or tool calls
  Usage usage;
};

constexpr int kNever = -1;

// How an answer travels. Counts are of events, or of pieces where the answer is not streamed.
struct Delivery {
  int delay_ms = 0;        // before the first byte
  int event_delay_ms = 0;  // between events
  int text_bytes = 16;     // of text in one event
  int argument_bytes = 0;  // of a call's arguments in one event; 0 = all
  int chunk_bytes = 0;     // the body is written in pieces of this size; 0 = an event each
  bool split_utf8 = false;
  bool hang = false;
  int cut_after = kNever, hang_after = kNever, malformed_after = kNever;
};

// An HTTP error instead of an answer.
struct Fault {
  int status = 500;
  std::string type, message;  // empty: what the wire says with this status
  std::string body;           // instead of the wire's error object
  std::map<std::string, std::string> headers;
};

// All that are given must hold. Text is a part of the whole, /…/ is an RE2 pattern.
struct Match {
  std::optional<std::string> user, tool_result, system, model, key, tool;
  std::optional<std::string> wire;
  std::optional<bool> stream;
  std::optional<bool> after_tool;  // the conversation ends with a tool result
  std::optional<int> round;
  std::optional<int> first_request, last_request;  // by count since the script began, from 1
};

struct Rule {
  Match match;
  int times = kNever;  // how often it may fit
  Answer answer;
  std::optional<Fault> fault;
  Delivery delivery;
};

// A recorded request and its answer.
struct Exchange {
  std::string path;                   // part of the request's path
  std::vector<std::string> contains;  // parts of the request's body
  std::string body;                   // JSON the request's body must include; empty: any
  int times = 1;
  int status = 200;
  std::map<std::string, std::string> headers;
  std::vector<std::string> pieces;  // of the body, written one by one
  bool streamed = false;
  Delivery delivery;
};

struct Script {
  Mode mode = Mode::kScripted;
  std::vector<std::string> models = {"mock-model"};
  std::vector<std::string> keys;  // credentials accepted; empty: all
  std::vector<Rule> rules;
  std::vector<Exchange> exchanges;
  Delivery delivery;  // where a rule gives none
};

// Errors name line and key. Relative file names in the script are taken from `folder`.
absl::StatusOr<Script> ParseScript(std::string_view yaml, const std::string& folder);

}  // namespace talon::mockllm
