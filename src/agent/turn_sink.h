// SPDX-License-Identifier: Apache-2.0
// Passes deltas to the observers so that what they see adds up to the answer: without the space
// around the text of a round, and with a blank line between the texts of two. Loop's thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/session.h"
#include "model/chat_model.h"

namespace talon::agent {

class TurnSink : public model::DeltaSink {
 public:
  // `texts` are those of the rounds before. Both must outlive the sink.
  TurnSink(TurnRun& run, const std::vector<std::string>& texts) : run_(run), texts_(texts) {}
  void OnText(std::string_view text) override;
  void OnReasoning(std::string_view text) override;

 private:
  TurnRun& run_;
  const std::vector<std::string>& texts_;
  bool begun_ = false;
  std::string space_;  // held back until more text follows
};

}  // namespace talon::agent
