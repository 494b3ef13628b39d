// SPDX-License-Identifier: Apache-2.0
// Reads Anthropic Messages answers: the events of a stream, and a whole message. One answer; loop's
// thread; private to the room.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "model/wire.h"

namespace talon::model {

class AnthropicReader : public AnswerReader {
 public:
  std::optional<Fault> Read(const Json& document, Answer& answer) override;

 private:
  void ReadMessage(const Json& message, Answer& answer);
  void BeginBlock(long index, const Json& block, Answer& answer);
  void ReadDelta(long index, const Json& delta, Answer& answer);
  void EndBlock(long index, Answer& answer);
  void ReadUsage(const Json& usage, Answer& answer);
  void ReadStop(const Json& holder, Answer& answer);
  int CallOf(long index) const;

  // A tool_use block under way: its index, its call, and the input its start carried, which counts
  // where no delta brings one.
  struct OpenCall {
    long index = 0;
    int call = Answer::kNoCall;
    std::string input;
  };
  std::vector<OpenCall> open_;
  // Counted apart by the API: prompt without cache, read from it, written to it.
  std::int64_t fresh_ = 0, read_ = 0, written_ = 0, output_ = 0;
};

}  // namespace talon::model
