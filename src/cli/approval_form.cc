// SPDX-License-Identifier: Apache-2.0
#include "cli/approval_form.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/terminal.h"
#include "base/text.h"
#include "cli/approval_text.h"

namespace talon::cli {
namespace {

using Word = ApprovalAnswer::Word;

constexpr std::string_view kExplanation =
    "The model wants to make this call. While only you have spoken in a conversation it may\n"
    "act; once it has read something from outside, a call with an effect runs unasked only\n"
    "when you asked for such an effect and where it goes is in your own words. What was read\n"
    "may have told the model to do this. An answer holds for this very call; a denied one is\n"
    "told to the model, which goes on without.\n"
    "docs/guard.md has the rules, `talon policy show` the policy.";

void ShowIndented(std::string_view text, const ShowText& show) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    show("  " + ForTerminal(text.substr(0, end)));
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
  }
}

bool Says(std::string_view line, std::string_view letter, std::string_view word) {
  return EqualsIgnoreCase(line, letter) || EqualsIgnoreCase(line, word);
}

ApprovalAnswer AskCode(const Json& approval, const ReadLine& read, const ShowText& show) {
  ShowIndented(fmt::format("The code is in {}.", JsonString(approval, "code_at", "its channel")),
               show);
  while (const auto line = read("  code, n to deny, ? explains: ")) {
    const std::string_view text = TrimSpace(*line);
    if (Says(text, "n", "no")) return {};
    if (text == "?") {
      ShowIndented(kExplanation, show);
    } else if (!text.empty()) {
      return {.word = Word::kOnce, .code = std::string(text)};
    }
  }
  return {};
}

}  // namespace

ApprovalAnswer AskApproval(const Json& approval, const ReadLine& read, const ShowText& show) {
  show("! This call may run only with your word:");
  ShowIndented(ApprovalText(approval), show);
  if (JsonString(approval, "factor") == "code") return AskCode(approval, read, show);
  const std::optional<Json> grant = GrantFor(approval);
  if (grant) {
    ShowIndented(fmt::format("a: also such calls for {} hours, as by\n  {}", kOfferedHours,
                             GrantCommand(*grant)),
                 show);
  }
  const std::string prompt =
      grant ? "  Run it? y, n, a, ? explains: " : "  Run it? y, n, ? explains: ";
  while (const auto line = read(prompt)) {
    const std::string_view text = TrimSpace(*line);
    if (Says(text, "y", "yes")) return {.word = Word::kOnce, .code = ""};
    if (Says(text, "n", "no")) return {};
    if (grant && Says(text, "a", "always")) return {.word = Word::kAlways, .code = ""};
    if (text == "?") ShowIndented(kExplanation, show);
  }
  return {};
}

}  // namespace talon::cli
