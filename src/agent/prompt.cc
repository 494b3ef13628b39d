// SPDX-License-Identifier: Apache-2.0
#include "agent/prompt.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/check.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"

namespace talon::agent {

std::optional<std::string_view> Embedded(std::string_view name);

namespace {

constexpr std::string_view kNames[] = {"system",         "safety",       "lazy_tools",
                                       "force_answer",   "empty_answer", "malformed_call",
                                       "repeat_warning", "repeat_block", "forced_fallback",
                                       "open_outcome",   "cut_message",  "flagged_message"};
constexpr std::size_t kMaxPromptBytes = 64 << 10;

}  // namespace

absl::StatusOr<PromptBook> PromptBook::Load(const std::string& prompts_dir) {
  PromptBook book;
  for (std::string_view name : kNames) {
    auto text = Embedded(fmt::format("{}.txt", name));
    TALON_CHECK(text.has_value());
    book.texts_[std::string(name)] = std::string(TrimSpace(*text));
  }
  if (prompts_dir.empty()) return book;
  std::error_code error;
  std::filesystem::directory_iterator folder(prompts_dir, error);
  for (; !error && folder != std::filesystem::directory_iterator(); folder.increment(error)) {
    const std::filesystem::directory_entry& entry = *folder;
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() != ".txt") continue;
    if (!book.texts_.contains(name)) {
      return InvalidArgument(fmt::format("orchestrator.prompts_dir: unknown prompt '{}'; known: {}",
                                         entry.path().string(), fmt::join(kNames, ", ")));
    }
    TALON_ASSIGN_OR_RETURN(std::string text, ReadFile(entry.path().string(), kMaxPromptBytes));
    book.texts_[name] = std::string(TrimSpace(text));
  }
  if (error) {
    return InvalidArgument(fmt::format("orchestrator.prompts_dir: cannot read '{}': {}",
                                       prompts_dir, error.message()));
  }
  return book;
}

const std::string& PromptBook::Get(std::string_view name) const {
  auto it = texts_.find(name);
  TALON_CHECK(it != texts_.end());
  return it->second;
}

std::string BuildSystemPrompt(const PromptBook& prompts, const SystemPromptParts& parts) {
  std::string text = prompts.Get("system");
  if (const auto at = text.find("{date}"); at != std::string::npos) {
    text.replace(at, 6, parts.date);
  }
  text += "\n\n";
  text += prompts.Get("safety");
  for (const std::string& rule : parts.rules) text += fmt::format("\n[custom] {}", TrimSpace(rule));
  if (!parts.tool_lines.empty()) {
    text += fmt::format("\n\n{}", prompts.Get("lazy_tools"));
    for (const std::string& line : parts.tool_lines) text += fmt::format("\n- {}", line);
  }
  if (!parts.instructions.empty()) {
    text += fmt::format("\n\nInstructions of the calling program:\n{}", parts.instructions);
  }
  return text;
}

}  // namespace talon::agent
