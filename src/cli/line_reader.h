// SPDX-License-Identifier: Apache-2.0
// Lines from a person at a terminal, with editing and history, or from a pipe. While it waits for
// them the loop runs, so that signals are seen. Main thread; one at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace talon::io {
class Loop;
}

namespace talon::cli {

class LineReader {
 public:
  // `history`: the file that a person's lines are read from and each added to.
  LineReader(io::Loop& loop, std::string history);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // Whether a person types and reads.
  bool interactive() const;
  // Nothing at the end of input or after Leave(); an empty line after Interrupt().
  std::optional<std::string> Next();
  // From the loop. Interrupt() ends the line being read, Leave() the reading for good.
  void Interrupt();
  void Leave();

  struct State;  // of the line editor's callback

 private:
  std::unique_ptr<State> state_;
};

}  // namespace talon::cli
