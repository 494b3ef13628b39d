// SPDX-License-Identifier: Apache-2.0
// What an operator asks for by name: looking at a plugin, trusting it, switching it off and on.
#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/status.h"
#include "io/loop.h"
#include "plugin/examine.h"
#include "plugin/handshake.h"
#include "plugin/process_host.h"
#include "plugin/switches.h"
#include "plugin/vet.h"

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

// What stands where it was found, and whether that is trusted. Answers the manifest beside it.
io::Task<std::optional<std::string>> ProcessHost::Weigh(std::string name, const Found& found,
                                                        PluginReport* report) {
  const Origin origin = found.origin;
  const bool unpinned = origin == Origin::kConfigured && !found.entry.pin;
  const auto evidence = co_await loop_.Blocking(
      [path = found.program, digests = &digests_, most = options_.max_manifest.value] {
        return plugin::Examine(path, Origin::kFolder, *digests, most);
      });
  report->trust = "untrusted";
  if (!evidence.ok()) {
    report->problem = Message(evidence.status());
    co_return std::nullopt;
  }
  report->program = evidence->program->path();
  report->owner = evidence->program->owner();
  report->sha256 = evidence->sha256;
  report->manifest_sha256 = evidence->manifest_sha256;
  const TrustRecord* record = trust_.Find(name);
  const absl::Status judged = Judge(name, origin, *evidence, record);
  report->problem = Message(judged);
  if (origin == Origin::kBundled) {
    report->trust = "bundled";
  } else if (unpinned) {
    report->trust = "not pinned";
    report->problem.clear();
  } else if (judged.ok()) {
    report->trust = NamedAnew(*evidence, record) ? "at its first start" : "trusted";
  }
  co_return evidence->manifest;
}

io::Task<absl::StatusOr<PluginReport>> ProcessHost::Inspect(std::string plugin) {
  PluginReport report;
  if (const auto guest = admitted_.find(plugin); guest != admitted_.end()) {
    report.info.name = plugin;
    report.info.path = guest->second;
    const Found found{.entry = {}, .program = guest->second};
    (void)co_await Weigh(plugin, found, &report);
    if (report.trust == "untrusted") report.info.state = PluginState::kUntrusted;
    co_return report;
  }
  TALON_CO_ASSIGN_OR_RETURN(const Supervised supervisor, Find(plugin));
  const Found& found = supervisor->found();
  co_await ProbeSandbox();
  const std::optional<std::string> text = co_await Weigh(plugin, found, &report);
  report.info = supervisor->Info();
  absl::StatusOr<Manifest> beside = NotFound("no manifest");
  const Manifest* manifest = supervisor->usable() ? &supervisor->manifest() : nullptr;
  if (manifest == nullptr && text) {
    beside = ParseManifestJson(*text, plugin, found.entry, options_);
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
  const auto guest = admitted_.find(plugin);
  if (guest != admitted_.end()) all[plugin] = {.entry = {}, .program = guest->second};
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
                      .named = evidence->named,
                      .sha256 = std::move(content.sha256),
                      .manifest_sha256 = std::move(content.manifest_sha256),
                      .declared_sha256 = std::move(content.declared_sha256),
                      .args = at->second.entry.args,
                      .protocol = kAppProtocol,
                      .when = FormatTime(clock_.Now())});
  TALON_CO_RETURN_IF_ERROR(co_await KeepTrust());
  if (guest != admitted_.end()) co_return absl::OkStatus();  // whoever runs it tries again
  co_return co_await Renew(std::move(plugin));
}

io::Task<absl::StatusOr<std::shared_ptr<const Program>>> ProcessHost::Admit(std::string name,
                                                                            std::string path) {
  if (!state_read_) {  // by the first load, which may be under way
    co_await changes_.Enter();
    changes_.Leave();
  }
  if (!state_read_ || closed_) co_return Unavailable("the plugin host does not run");
  admitted_[name] = path;
  TALON_CO_ASSIGN_OR_RETURN(const Vetted vetted,
                            co_await Vet({.loop = loop_,
                                          .clock = clock_,
                                          .trust = trust_,
                                          .digests = digests_,
                                          .max_manifest = options_.max_manifest.value},
                                         name, path, Origin::kConfigured, Purpose::kStart));
  if (vetted.recorded) TALON_CO_RETURN_IF_ERROR(co_await KeepTrust());
  co_return vetted.evidence.program;
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
