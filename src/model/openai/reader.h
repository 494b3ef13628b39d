// SPDX-License-Identifier: Apache-2.0
// Reads Chat Completions answers: `chat.completion` and the chunks of a stream, from OpenAI and the
// many servers that resemble it. One answer; loop's thread; private to the room.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/wire.h"

namespace talon::model {

class OpenAiReader : public AnswerReader {
 public:
  std::optional<Fault> Read(const Json& document, Answer& answer) override;

 private:
  void ReadUsage(const Json& usage, Answer& answer);
  void ReadDelta(const Json& delta, Answer& answer);
  void ReadContent(const Json& content, Answer& answer);
  void ReadReasoning(std::string_view text, bool own_field, Answer& answer);
  void EndReasoning(Answer& answer);
  void ReadCall(const Json& call, Answer& answer);
  void ReadFunction(int call, const Json& function, Answer& answer);
  int FindCall(const Json& call, Answer& answer);
  std::optional<Fault> ReadFinish(std::string_view reason, Answer& answer);

  // The server's index and id of each call, in the answer's order. Servers leave out either, or
  // give every call the index 0.
  struct Known {
    long index = -1;
    std::string id;
  };
  std::vector<Known> calls_;
  bool reasoning_signed_late_ =
      false;  // reasoning_content is under way and gets its mark at its end
};

}  // namespace talon::model
