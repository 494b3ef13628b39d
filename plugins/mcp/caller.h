// SPDX-License-Identifier: Apache-2.0
// The one on whose behalf a request is made: what it hears of progress, whom a server may ask, when
// it has given up. Implemented by the plugin over the SDK's call, by tests and by the conformance
// driver. Used on the thread that makes the request.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mcp/bell.h"

namespace talon::plugins::mcp {

struct Question {
  std::string text;
  std::string schema_json;  // an object of plain values; empty with `url`
  std::string url;          // a page where the person answers
};

struct Answer {
  enum class Action { kCancel, kDecline, kAccept };  // kCancel: nobody answered or nobody is there
  Action action = Action::kCancel;
  std::string content_json;
};

class Caller {
 public:
  virtual ~Caller() = default;
  virtual bool cancelled() const { return false; }
  virtual int cancel_fd() const { return -1; }
  virtual Clock::time_point deadline() const { return Clock::time_point::max(); }
  virtual void Progress(const std::string& text, double done, double total) {
    (void)text, (void)done, (void)total;
  }
  // Blocks until the person has answered or the call has ended.
  virtual Answer Ask(const Question& question) {
    (void)question;
    return {};
  }
  // Whose call it is. Two callers with the same one may answer each other's questions.
  virtual std::string person() const { return ""; }
  // HTTP headers that tell the server who calls, as the operator wants it told.
  virtual std::vector<std::pair<std::string, std::string>> headers() const { return {}; }
};

}  // namespace talon::plugins::mcp
