// SPDX-License-Identifier: Apache-2.0
#include "agent/screening.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "guard/firewall.h"

namespace talon::agent {
namespace {

bool IsForeign(const TurnRun& run, const model::Message& message) {
  return message.role == model::Role::kUser && (message.label.integrity == Integrity::kUntrusted ||
                                                run.principal.user != Principal().user);
}

void Record(const TurnRun& run, TurnWriter& writer, const guard::Screening& found) {
  const std::string_view verdict = found.allowed() ? "flag" : "block";
  const std::string rules = fmt::format("{}", fmt::join(found.detections, ", "));
  writer.AddStep(journal::StepKind::kAdvice,
                 DumpJson({{"hook", "firewall"},
                           {"joinpoint", "input.received"},
                           {"verdict", verdict},
                           {"level", guard::ThreatLevelName(found.level)},
                           {"notes", found.detections}}));
  log::Warn("firewall spoke against a message", {{"verdict", verdict},
                                                 {"rules", rules},
                                                 {"turn_id", run.turn.str()},
                                                 {"origin", run.principal.origin},
                                                 {"user", run.principal.user}});
}

}  // namespace

bool IsScreened(const Core& core, const TurnRun& run) {
  return core.deps.firewall != nullptr &&
         std::ranges::any_of(run.input.messages, [&run](const model::Message& message) {
           return IsForeign(run, message);
         });
}

absl::Status ScreenInput(Core& core, TurnRun& run, TurnWriter& writer, std::string* remark) {
  if (!IsScreened(core, run)) return absl::OkStatus();
  std::vector<std::string> flags;
  for (model::Message& message : run.input.messages) {
    if (!IsForeign(run, message)) continue;
    for (model::Part& part : message.parts) {
      auto* text = std::get_if<model::TextPart>(&part);
      if (text == nullptr) continue;
      guard::Screening found = core.deps.firewall->Screen(text->text);
      if (!found.detections.empty()) Record(run, writer, found);
      if (!found.allowed()) {
        return PermissionDenied(fmt::format(
            "the message was refused by the firewall ({}); say it differently, or ask the owner "
            "(guard.firewall)",
            fmt::join(found.detections, ", ")));
      }
      text->text = std::move(found.text);
      for (std::string& flag : found.detections) {
        if (std::ranges::find(flags, flag) == flags.end()) flags.push_back(std::move(flag));
      }
    }
  }
  if (flags.empty()) return absl::OkStatus();
  *remark = core.prompts.Get("flagged_message");
  if (const auto at = remark->find("{rules}"); at != std::string::npos) {
    remark->replace(at, 7, fmt::format("{}", fmt::join(flags, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace talon::agent
