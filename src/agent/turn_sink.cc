// SPDX-License-Identifier: Apache-2.0
#include "agent/turn_sink.h"

#include "base/text.h"

namespace talon::agent {

void TurnSink::OnText(std::string_view text) {
  links_ == nullptr ? Show(text) : Show(links_->Next(text));
}

void TurnSink::Finish() {
  if (links_ != nullptr) Show(links_->End());
}

void TurnSink::Show(std::string_view text) {
  const std::string_view words = TrimSpace(text);
  if (words.empty()) {
    if (begun_) space_ += text;
    return;
  }
  const auto at = static_cast<std::size_t>(words.data() - text.data());
  std::string piece = begun_           ? space_ + std::string(text.substr(0, at))
                      : texts_.empty() ? ""
                                       : "\n\n";
  piece += words;
  space_ = text.substr(at + words.size());
  begun_ = true;
  run_.shown += piece;
  for (TurnObserver* observer : run_.observers) observer->OnText(piece);
}

void TurnSink::OnReasoning(std::string_view text) {
  for (TurnObserver* observer : run_.observers) observer->OnReasoning(text);
}

}  // namespace talon::agent
