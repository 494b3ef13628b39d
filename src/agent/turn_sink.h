// SPDX-License-Identifier: Apache-2.0
// Passes deltas to the observers so that what they see adds up to the answer: without the space
// around the text of a round, and with a blank line between the texts of two. Keeps what was shown
// for those who begin to watch later. Loop's thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/session.h"
#include "guard/answer_links.h"
#include "model/chat_model.h"

namespace talon::agent {

class TurnSink : public model::DeltaSink {
 public:
  // `texts` are those of the rounds before. `links`: what cleans the text of addresses before it is
  // shown; may be null. All must outlive the sink.
  TurnSink(TurnRun& run, const std::vector<std::string>& texts, guard::AnswerLinks* links = nullptr)
      : run_(run), texts_(texts), links_(links) {}
  void OnText(std::string_view text) override;
  void OnReasoning(std::string_view text) override;
  // Text that needs no cleaning any more.
  void OnCleanText(std::string_view text) { Show(text); }
  // The answer is complete: what was held back of it.
  void Finish();

 private:
  void Show(std::string_view text);

  TurnRun& run_;
  const std::vector<std::string>& texts_;
  guard::AnswerLinks* const links_;
  bool begun_ = false;
  std::string space_;  // held back until more text follows
};

}  // namespace talon::agent
