// SPDX-License-Identifier: Apache-2.0
// Reads GenerateContentResponse documents: each event of a stream is one, a whole answer is one.
// One answer; loop's thread; private to the room.
#pragma once

#include <optional>
#include <string_view>

#include "model/wire.h"

namespace talon::model {

class GoogleReader : public AnswerReader {
 public:
  std::optional<Fault> Read(const Json& document, Answer& answer) override;

 private:
  void ReadPart(const Json& part, Answer& answer);
  void ReadUsage(const Json& usage, Answer& answer);
  std::optional<Fault> ReadFinish(std::string_view reason, Answer& answer);
};

}  // namespace talon::model
