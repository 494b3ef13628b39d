// SPDX-License-Identifier: Apache-2.0
// What an operator asks for by name: looking at a plugin, trusting it, switching it off and on.
#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "io/loop.h"
#include "plugin/examine.h"
#include "plugin/handshake.h"
#include "plugin/process_host.h"
#include "plugin/switches.h"

namespace talon::plugin {

io::Task<absl::Status> ProcessHost::SetEnabled(std::string plugin, Switch to) {
  co_return co_await Alone(Flip(std::move(plugin), to));
}

io::Task<absl::Status> ProcessHost::Trust(std::string plugin, TrustedContent content) {
  co_return co_await Alone(TrustThis(std::move(plugin), std::move(content)));
}

io::Task<absl::Status> ProcessHost::Flip(std::string plugin, Switch to) {
  TALON_CO_RETURN_IF_ERROR(Find(plugin).status());
  const auto entry = entries_.find(plugin);
  if (to == Switch::kOn && entry != entries_.end() && !entry->second.enabled) {
    co_return FailedPrecondition(fmt::format(
        "plugin '{}': the configuration says `plugins.{}.enabled: false`; change it there", plugin,
        plugin));
  }
  std::set<std::string> off = switched_off_;
  if (to == Switch::kOff) {
    off.insert(plugin);
  } else {
    off.erase(plugin);
  }
  if (!paths_.home.empty()) {
    TALON_CO_RETURN_IF_ERROR(co_await loop_.Blocking(
        [path = At(kSwitchesFile), off] { return WriteSwitches(path, off); }));
  }
  switched_off_ = std::move(off);
  co_return co_await Renew(std::move(plugin));
}

io::Task<absl::StatusOr<PluginReport>> ProcessHost::Inspect(std::string plugin) {
  TALON_CO_ASSIGN_OR_RETURN(const Supervised supervisor, Find(plugin));
  PluginReport report;
  const Found& found = supervisor->found();
  const auto evidence = co_await loop_.Blocking(
      [path = found.program, digests = &digests_, most = options_.max_manifest.value] {
        return plugin::Examine(path, Origin::kFolder, *digests, most);
      });
  co_await ProbeSandbox();
  report.info = supervisor->Info();
  report.trust = "untrusted";
  if (!evidence.ok()) {
    report.problem = Message(evidence.status());
  } else {
    report.program = evidence->program->path();
    report.owner = evidence->program->owner();
    report.sha256 = evidence->sha256;
    report.manifest_sha256 = evidence->manifest_sha256;
    const TrustRecord* record = trust_.Find(plugin);
    const absl::Status judged = Judge(plugin, found.origin, *evidence, record);
    report.problem = Message(judged);
    if (found.origin == Origin::kBundled) {
      report.trust = "bundled";
    } else if (found.origin == Origin::kConfigured && !found.entry.pin) {
      report.trust = "not pinned";
      report.problem.clear();
    } else if (judged.ok()) {
      report.trust = record != nullptr ? "trusted" : "at its first start";
    }
  }
  absl::StatusOr<Manifest> beside = NotFound("no manifest");
  const Manifest* manifest = supervisor->usable() ? &supervisor->manifest() : nullptr;
  if (manifest == nullptr && evidence.ok() && evidence->manifest) {
    beside = ParseManifestJson(*evidence->manifest, plugin, found.entry, options_);
    if (beside.ok()) manifest = &*beside;
  }
  if (manifest != nullptr) {
    if (auto json = ManifestToJson(*manifest); json.ok()) report.manifest_json = *std::move(json);
    report.declared_sha256 = DeclaredDigest(*manifest);
  }
  co_return report;
}

io::Task<absl::StatusOr<PluginReport>> ProcessHost::Examine(std::string plugin) {
  TALON_CO_ASSIGN_OR_RETURN(PluginReport report, co_await Inspect(plugin));
  std::map<std::string, Found> all = co_await LookAround();
  const auto at = all.find(plugin);
  const bool asks = report.trust == "untrusted" && !report.program.empty() &&
                    report.manifest_sha256.empty() && at != all.end();
  if (!asks) co_return report;
  report.manifest_json.clear();  // of what stood there before
  report.declared_sha256.clear();
  Examinee examinee{.name = plugin,
                    .entry = at->second.entry,
                    .launcher = paths_.launcher,
                    .hidden = paths_.hidden,
                    .options = options_};
  examinee.entry.plugin = report.program;
  auto asked = co_await ExamineProgram(loop_, clock_, std::move(examinee));
  if (!asked.ok()) {
    report.problem =
        fmt::format("asked what it offers, it did not tell: {}", Message(asked.status()));
  } else if (asked->sha256 != report.sha256) {
    co_return absl::AbortedError(
        fmt::format("plugin '{}': the program changed meanwhile; look at it again", plugin));
  } else {
    report.info.version = asked->info.version;
    report.info.description = asked->info.description;
    report.manifest_json = std::move(asked->manifest_json);
    report.declared_sha256 = std::move(asked->declared_sha256);
  }
  co_return report;
}

io::Task<absl::Status> ProcessHost::TrustThis(std::string plugin, TrustedContent content) {
  TALON_CO_RETURN_IF_ERROR(trust_.problem());
  std::map<std::string, Found> all = co_await LookAround();
  const auto at = all.find(plugin);
  if (at == all.end()) co_return Find(plugin).status();
  if (at->second.origin == Origin::kBundled) {
    co_return FailedPrecondition(
        fmt::format("plugin '{}': it is bundled and trusted with the installation", plugin));
  }
  const auto evidence = co_await loop_.Blocking(
      [path = at->second.program, digests = &digests_, most = options_.max_manifest.value] {
        return plugin::Examine(path, Origin::kFolder, *digests, most);
      });
  if (!evidence.ok()) {
    co_return Annotate(evidence.status(), fmt::format("plugin '{}'", plugin));
  }
  if (evidence->sha256 != content.sha256 || evidence->manifest_sha256 != content.manifest_sha256) {
    co_return absl::AbortedError(fmt::format(
        "plugin '{}': the program or its manifest is another by now; look at it again", plugin));
  }
  trust_.Put(plugin, {.path = evidence->program->path(),
                      .sha256 = std::move(content.sha256),
                      .manifest_sha256 = std::move(content.manifest_sha256),
                      .declared_sha256 = std::move(content.declared_sha256),
                      .args = at->second.entry.args,
                      .protocol = kAppProtocol,
                      .when = FormatTime(clock_.Now())});
  TALON_CO_RETURN_IF_ERROR(co_await KeepTrust());
  co_return co_await Renew(std::move(plugin));
}

std::string_view PluginStateName(PluginState state) {
  switch (state) {
    case PluginState::kDisabled:
      return "disabled";
    case PluginState::kUntrusted:
      return "untrusted";
    case PluginState::kStopped:
      return "stopped";
    case PluginState::kStarting:
      return "starting";
    case PluginState::kRunning:
      return "running";
    case PluginState::kBackingOff:
      return "backing off";
    case PluginState::kFailed:
      return "failed";
  }
  return "unknown";
}

}  // namespace talon::plugin
