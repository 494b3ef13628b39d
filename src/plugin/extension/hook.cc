// SPDX-License-Identifier: Apache-2.0
#include "plugin/extension/hook.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/status.h"
#include "base/text.h"
#include "plugin/h2/wire.h"
#include "plugin/host.h"
#include "talon/v1/hook.pb.h"

namespace talon::plugin {
namespace {

constexpr std::string_view kAdvise = "/talon.v1.Hook/Advise";

}  // namespace

const Manifest* PluginAdviser::HookManifest() const {
  const Manifest* manifest = host_.ManifestOf(plugin_);
  return manifest != nullptr && manifest->hook ? manifest : nullptr;
}

bool PluginAdviser::Advises(hook::Joinpoint at) const {
  const Manifest* manifest = HookManifest();
  if (manifest == nullptr) return true;  // to refuse it
  return std::ranges::any_of(manifest->hook->joinpoints, [at](const std::string& name) {
    return hook::FindJoinpoint(name) == at;
  });
}

int PluginAdviser::priority() const {
  const Manifest* manifest = HookManifest();
  return manifest != nullptr ? manifest->hook->priority : std::numeric_limits<int>::max();
}

bool PluginAdviser::fail_open() const {
  const Manifest* manifest = HookManifest();
  return manifest != nullptr && manifest->hook->fail_open;
}

io::Task<absl::StatusOr<hook::Decision>> PluginAdviser::Advise(hook::Moment moment,
                                                               CallContext context) {
  if (const Manifest* manifest = host_.ManifestOf(plugin_); manifest && !manifest->hook) {
    co_return FailedPrecondition(
        fmt::format("plugin '{}' is no hook; take it out of `hooks.plugins`", plugin_));
  }
  v1::AdviseRequest request;
  request.set_joinpoint(std::string(hook::JoinpointName(moment.at)));
  request.set_session_id(RepairUtf8(moment.session.str()));
  request.set_turn_id(RepairUtf8(moment.turn.str()));
  v1::Actor& actor = *request.mutable_actor();
  actor.set_tenant(context.principal.tenant);
  actor.set_user(context.principal.user);
  actor.set_agent(context.principal.agent);
  actor.set_origin(context.principal.origin);
  request.set_value(std::move(moment.value));
  request.set_tool(RepairUtf8(moment.tool));
  const auto answer =
      co_await host_.Call(plugin_, kAdvise, request.SerializeAsString(),
                          context.Until(clock_.SteadyNow() + timeout_), Repeat::kIfCrashed);
  if (!answer.ok()) co_return answer.status();
  v1::AdviseResponse response;
  if (!response.ParseFromString(*answer)) co_return h2::Misbehaved("no AdviseResponse");
  hook::Decision decision;
  switch (response.verdict()) {
    case v1::ADVISE_VERDICT_ALLOW:
      break;
    case v1::ADVISE_VERDICT_BLOCK:
      decision.verdict = hook::Verdict::kBlock;
      break;
    case v1::ADVISE_VERDICT_REWRITE:
      decision.verdict = hook::Verdict::kRewrite;
      break;
    default:
      co_return h2::Misbehaved(
          fmt::format("verdict {} is not known", static_cast<int>(response.verdict())));
  }
  decision.reason = h2::CleanText(response.reason(), kMaxTitleBytes);
  decision.value = std::move(*response.mutable_value());
  if (decision.verdict == hook::Verdict::kRewrite && !IsValidUtf8(decision.value)) {
    co_return h2::Misbehaved("the value it puts in is not valid UTF-8");
  }
  for (int i = 0; i < std::min(response.notes_size(), kMaxNotes); ++i) {
    decision.notes.push_back(h2::CleanText(response.notes(i), kMaxTitleBytes));
  }
  co_return decision;
}

}  // namespace talon::plugin
