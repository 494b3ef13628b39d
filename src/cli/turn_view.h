// SPDX-License-Identifier: Apache-2.0
// Shows a turn's events on a terminal as they come: text as it is written, tool calls as they run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"

namespace talon::cli {

class TurnView {
 public:
  // `color`: escape sequences are welcome. `quiet`: text only.
  TurnView(bool color, bool quiet) : color_(color), quiet_(quiet) {}
  void OnEvent(std::string_view event, const Json& data);
  // Ends an open line.
  void Finish();
  const std::string& turn() const { return turn_; }
  double cost_usd() const { return cost_usd_; }
  std::int64_t input_tokens() const { return input_tokens_; }
  std::int64_t output_tokens() const { return output_tokens_; }

 private:
  void Line(std::string_view text);
  // Of what goes on beside the answer; to standard error where that is all that is wanted.
  void Note(std::string_view text);
  void ShowText(std::string_view text);
  // One line that the next output takes away again; only where escape sequences are welcome.
  void ShowProgress(const Json& data);
  void ClearProgress();
  bool color_, quiet_;
  bool mid_line_ = false;
  bool progress_ = false;  // such a line is shown
  bool missed_ = false;    // the connection was lost, and nothing came since
  std::string turn_;
  std::string shown_;  // of the turn's text
  double cost_usd_ = 0;
  std::int64_t input_tokens_ = 0, output_tokens_ = 0;
};

}  // namespace talon::cli
