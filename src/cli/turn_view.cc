// SPDX-License-Identifier: Apache-2.0
#include "cli/turn_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/terminal.h"
#include "base/text.h"

namespace talon::cli {
namespace {
constexpr std::size_t kArgumentBytes = 160;
constexpr std::size_t kProgressBytes = 78;
}  // namespace

void TurnView::Line(std::string_view text) {
  if (mid_line_) std::fputc('\n', stdout);
  mid_line_ = false;
  const std::string line(text);
  if (color_) {
    std::printf("\x1b[2m%s\x1b[0m\n", line.c_str());
  } else {
    std::printf("%s\n", line.c_str());
  }
}

void TurnView::Note(std::string_view text) {
  if (quiet_) {
    std::fprintf(stderr, "talon: %s\n", std::string(text).c_str());
  } else {
    Line(fmt::format("({})", text));
  }
}

void TurnView::ShowText(std::string_view text) {
  const std::string harmless = ForTerminal(text);
  if (harmless.empty()) return;
  shown_ += text;
  std::fwrite(harmless.data(), 1, harmless.size(), stdout);
  mid_line_ = harmless.back() != '\n';
}

void TurnView::ShowProgress(const Json& data) {
  if (!color_ || quiet_) return;
  if (mid_line_) std::fputc('\n', stdout);
  mid_line_ = false;
  std::string line = "  … " + ForTerminal(JsonString(data, "text"));
  const double total = JsonDouble(data, "total");
  if (total > 0) {
    line +=
        fmt::format(" ({:.0f} %)", 100 * std::clamp(JsonDouble(data, "done") / total, 0.0, 1.0));
  }
  // Longer lines would wrap and stay.
  std::printf("\r\x1b[K\x1b[2m%s\x1b[0m", std::string(TruncateUtf8(line, kProgressBytes)).c_str());
  progress_ = true;
}

void TurnView::ClearProgress() {
  if (std::exchange(progress_, false)) std::printf("\r\x1b[K");
}

void TurnView::OnEvent(std::string_view event, const Json& data) {
  if (event == "tool_progress") {
    ShowProgress(data);
    std::fflush(stdout);
    return;
  }
  ClearProgress();
  if (event == "turn_start") {
    const std::string turn = JsonString(data, "turn");
    if (turn != std::exchange(turn_, turn)) shown_.clear();
  } else if (event == "text_delta") {
    std::string text = JsonString(data, "text");
    // Of a turn that went on elsewhere the whole text comes at once.
    if (std::exchange(missed_, false)) {
      if (text.starts_with(shown_)) {
        text.erase(0, shown_.size());
      } else if (mid_line_) {
        text.insert(0, "\n");
      }
    }
    ShowText(text);
  } else if (event == "connection_lost") {
    if (!quiet_) shown_.clear();  // the note stands between
    missed_ = true;
    Note("the daemon went away; looking for another");
  } else if (event == "reconnected") {
    Note(JsonBool(data, "embedded")
             ? "the daemon runs inside this command now; waiting for the answer"
             : "a daemon is there again; waiting for the answer");
  } else if (event == "tool_start" && !quiet_) {
    std::string arguments = JsonString(data, "arguments");
    if (arguments.size() > kArgumentBytes) {
      arguments = std::string(TruncateUtf8(arguments, kArgumentBytes)) + "…";
    }
    Line(fmt::format("  > {} {}", ForTerminal(JsonString(data, "tool")), ForTerminal(arguments)));
  } else if (event == "tool_result" && !quiet_) {
    Line(fmt::format("  < {} {} in {} ms", ForTerminal(JsonString(data, "tool")),
                     JsonBool(data, "is_error") ? "failed" : "ok", JsonInt(data, "duration_ms")));
  } else if (event == "done") {
    if (const Json* usage = JsonFind(data, "usage")) {
      input_tokens_ += JsonInt(*usage, "input_tokens");
      output_tokens_ += JsonInt(*usage, "output_tokens");
      cost_usd_ += JsonDouble(*usage, "cost_usd");
    }
  }
  std::fflush(stdout);
}

void TurnView::Finish() {
  ClearProgress();
  if (mid_line_) std::fputc('\n', stdout);
  mid_line_ = false;
  std::fflush(stdout);
}

}  // namespace talon::cli
