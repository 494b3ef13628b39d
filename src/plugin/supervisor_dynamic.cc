// SPDX-License-Identifier: Apache-2.0
// Plugins whose tools depend on their configuration, or change while they run: what they say after
// Configure is in force, kept in the cache by program and configuration, and asked for anew at
// every start and whenever the plugin says so.
#include <fmt/format.h>

#include <utility>

#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "plugin/contract.h"
#include "plugin/supervisor.h"
#include "plugin/talk.h"

namespace talon::plugin {

// `declared_` is known; learns the tools from the cache, else by running the program once.
io::Task<absl::Status> Supervisor::LoadTools() {
  TALON_CO_ASSIGN_OR_RETURN(const Evidence evidence, co_await Vet(Purpose::kLook));
  const auto digest = co_await loop_.Blocking(
      [program = evidence.program, args = entry_.args, digests = &dependencies_.digests] {
        return ProgramKey(*program, args, *digests);
      });
  if (!digest.ok()) co_return digest.status();
  cached_tools_ = fmt::format("{}/{}-{}.json", dependencies_.paths.cache, *digest,
                              Sha256Hex(name_ + '\0' + entry_.config.text));
  const auto cached = co_await loop_.Blocking(
      [path = cached_tools_, max_bytes = dependencies_.options.max_manifest.value] {
        return ReadFile(path, max_bytes);
      });
  if (cached.ok()) {
    auto manifest = ParseManifestJson(*cached, name_, entry_, dependencies_.options);
    if (manifest.ok() && SameButTools(declared_, *manifest)) {
      manifest_ = *std::move(manifest);
      tools_kept_ = true;
      co_return absl::OkStatus();
    }
  }
  CallContext context;
  context.deadline = dependencies_.clock.SteadyNow() + entry_.start_timeout;
  context.cancel = stop_.token();
  const auto process = co_await Launch(context, /*configure=*/true);
  if (!process.ok()) co_return process.status();
  co_await (*process)->Stop(StopKind::kGraceful);
  co_return absl::OkStatus();
}

// Of a configured process.
io::Task<absl::Status> Supervisor::AskTools(PluginProcess& process, CallContext context) {
  Manifest told;
  TALON_CO_RETURN_IF_ERROR(co_await AskManifest(process, &told, context));
  if (!SameButTools(declared_, told)) {
    co_return FailedPrecondition(
        "describe: once configured a dynamic plugin may differ from its manifest in its tools "
        "only");
  }
  const std::string change = DescribeChange(manifest_, told);
  if (change.empty() && tools_kept_) co_return absl::OkStatus();
  manifest_ = std::move(told);
  if (loaded_ && !change.empty()) {
    log::Info("plugin's tools have changed", {{"plugin", name_}, {"change", change}});
    if (dependencies_.on_tools) dependencies_.on_tools(*this);
  }
  co_await KeepTools();
  co_return absl::OkStatus();
}

io::Task<void> Supervisor::KeepTools() {
  auto json = ManifestToJson(manifest_);
  absl::Status kept = json.status();
  if (json.ok()) {
    kept = co_await loop_.Blocking([json = *std::move(json), path = cached_tools_,
                                    cache = dependencies_.paths.cache]() -> absl::Status {
      TALON_RETURN_IF_ERROR(MakeDirectories(cache));
      return WriteFileAtomic(path, json);
    });
  }
  tools_kept_ = kept.ok();
  if (!kept.ok()) {
    log::Warn("plugin's tools are not cached", {{"plugin", name_}, {"reason", Message(kept)}});
  }
}

// Open as long as the process serves; ends early when the plugin ends it.
io::Task<void> Supervisor::Watch(Process process, CancelToken end) {
  CallContext context;
  context.cancel = end;
  auto stream = process->OpenInBackground(kWatchMethod, context);
  absl::Status status = stream.status();
  if (status.ok()) status = co_await (*stream)->Write("");
  if (status.ok()) (*stream)->CloseWrites();
  while (status.ok() || absl::IsFailedPrecondition(status)) {
    const auto event = co_await (*stream)->Read();
    status = event.status();
    if (!event.ok() || !event->has_value()) break;
    if (!SaysToolsChanged(**event)) continue;
    const SteadyTime now = dependencies_.clock.SteadyNow();
    const absl::Status asked =
        co_await AskTools(*process, context.Until(now + entry_.start_timeout));
    if (!asked.ok() && !end.cancelled()) {
      log::Warn("plugin's tools stay as they were",
                {{"plugin", name_}, {"reason", Message(asked)}});
    }
    status = co_await loop_.SleepUntil(now + dependencies_.options.watch_interval, context);
  }
  if (end.cancelled() || !process->alive()) co_return;
  log::Warn("plugin tells no more of changes of its tools",
            {{"plugin", name_},
             {"reason", status.ok() ? std::string_view("it ended the call") : Message(status)}});
}

}  // namespace talon::plugin
