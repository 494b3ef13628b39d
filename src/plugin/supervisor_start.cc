// SPDX-License-Identifier: Apache-2.0
// How a plugin becomes known (its manifest) and how a new process is introduced.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "plugin/contract.h"
#include "plugin/supervisor.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kMaxProgram = 512u << 20;  // of which a digest is taken

std::string ProgramOf(const std::string& name, const PluginEntry& entry, const HostPaths& paths) {
  std::error_code ignored;
  if (entry.plugin.find('/') == std::string::npos) {
    const std::string& bare = entry.plugin.empty() ? name : entry.plugin;
    const std::string bundled = fmt::format("{}/{}/{}", paths.bundled, bare, bare);
    const std::string example = fmt::format("{}/{}/{}", paths.examples, bare, bare);
    if (std::filesystem::exists(bundled, ignored)) return bundled;
    if (std::filesystem::exists(example, ignored)) {
      return std::filesystem::path(example).lexically_normal().string();
    }
    // Else a file beside where the daemon was started, or nothing: the bundled one is named.
    if (entry.plugin.empty() || !std::filesystem::exists(entry.plugin, ignored)) return bundled;
  }
  return std::filesystem::absolute(entry.plugin, ignored).lexically_normal().string();
}

// Names a program and how it is called by content. Blocks.
absl::StatusOr<std::string> ProgramDigest(const std::string& program,
                                          const std::vector<std::string>& args) {
  TALON_ASSIGN_OR_RETURN(std::string content, ReadFile(program, kMaxProgram));
  std::string key = Sha256Hex(content);
  for (const std::string& arg : args) key += '\0' + arg;
  return Sha256Hex(key);
}

struct FoundManifest {
  std::string json;        // empty: none
  std::string cache_path;  // where it is or belongs in the cache; empty: it was beside the program
};

// Blocks.
absl::StatusOr<FoundManifest> FindManifest(const std::string& program,
                                           const std::vector<std::string>& args,
                                           const std::string& cache, std::size_t max_bytes) {
  const std::filesystem::path beside =
      std::filesystem::path(program).parent_path() / "manifest.json";
  auto json = ReadFile(beside.string(), max_bytes);
  if (json.ok()) return FoundManifest{*std::move(json), ""};
  if (!absl::IsNotFound(json.status())) return json.status();
  TALON_ASSIGN_OR_RETURN(const std::string digest, ProgramDigest(program, args));
  FoundManifest found;
  found.cache_path = fmt::format("{}/{}.json", cache, digest);
  if (auto cached = ReadFile(found.cache_path, max_bytes); cached.ok()) {
    found.json = *std::move(cached);
  }
  return found;
}

}  // namespace

Supervisor::Supervisor(std::string name, PluginEntry entry, Dependencies dependencies)
    : name_(std::move(name)),
      entry_(std::move(entry)),
      dependencies_(std::move(dependencies)),
      program_(ProgramOf(name_, entry_, dependencies_.paths)),
      loop_(dependencies_.loop),
      policy_(dependencies_.options, dependencies_.random),
      tasks_(loop_),
      endings_(loop_) {}

LaunchSpec Supervisor::MakeLaunchSpec() const {
  return {.name = name_,
          .program = program_,
          .args = entry_.args,
          .env = entry_.env,
          .run_directory = dependencies_.paths.run,
          .data_directory = fmt::format("{}/{}", dependencies_.paths.data, name_)};
}

io::Task<absl::Status> Supervisor::Load() {
  const auto self = shared_from_this();
  TALON_CO_RETURN_IF_ERROR(CheckPluginName(name_));
  if (absl::Status env = CheckEnvironment(entry_.env); !env.ok()) co_return Named(env);
  if (absl::Status given = CheckCredentials(entry_.credentials); !given.ok())
    co_return Named(given);
  for (const auto& [name, value] : entry_.env) dependencies_.redactor.Register(value);
  auto found = co_await loop_.Blocking([program = program_, args = entry_.args,
                                        cache = dependencies_.paths.cache,
                                        max_bytes = dependencies_.options.max_manifest.value] {
    return FindManifest(program, args, cache, max_bytes);
  });
  if (!found.ok()) co_return Named(found.status());
  if (!found->json.empty()) {
    auto manifest = ParseManifestJson(found->json, name_, entry_, dependencies_.options);
    if (manifest.ok()) {
      manifest_ = *std::move(manifest);
      cached_manifest_ = found->cache_path;
      loaded_ = true;
      co_return absl::OkStatus();
    }
    // Beside the program it is somebody's error; in the cache it is ours to make again.
    if (found->cache_path.empty()) co_return Named(manifest.status());
  }
  CallContext context;
  context.deadline = dependencies_.clock.SteadyNow() + entry_.start_timeout;
  context.cancel = stop_.token();
  const auto process = co_await Launch(context, /*configure=*/false);
  if (!process.ok()) co_return Named(process.status());
  co_await (*process)->Stop(StopKind::kGraceful);
  loaded_ = true;
  cached_manifest_ = found->cache_path;
  TALON_CO_ASSIGN_OR_RETURN(std::string json, ManifestToJson(manifest_));
  const absl::Status kept = co_await loop_.Blocking(
      [json, path = cached_manifest_, cache = dependencies_.paths.cache]() -> absl::Status {
        TALON_RETURN_IF_ERROR(MakeDirectories(cache));
        return WriteFileAtomic(path, json);
      });
  if (!kept.ok()) {
    log::Warn("plugin manifest is not cached", {{"plugin", name_}, {"reason", Message(kept)}});
  }
  co_return absl::OkStatus();
}

// With `configure`: a process ready for calls, whose manifest is the known one. Without: a process
// that has told its manifest, which becomes the known one.
io::Task<absl::StatusOr<Supervisor::Process>> Supervisor::Launch(CallContext context,
                                                                 bool configure) {
  const auto process = std::make_shared<PluginProcess>(
      loop_, MakeLaunchSpec(), dependencies_.options, dependencies_.redactor);
  absl::Status status = co_await process->Start(context);
  if (status.ok()) {
    status = configure ? co_await Introduce(*process, context)
                       : co_await AskManifest(*process, &manifest_, context);
  }
  if (status.ok() && configure && !process->alive()) status = Unavailable("it ended at once");
  if (status.ok()) co_return process;
  co_await process->Stop(StopKind::kKill);
  co_return co_await process->Explain(std::move(status));
}

io::Task<absl::Status> Supervisor::AskManifest(PluginProcess& process, Manifest* manifest,
                                               CallContext context) {
  const auto answer = co_await process.Call(kDescribeMethod, EncodeDescribe(), context);
  if (!answer.ok()) co_return Annotate(answer.status(), "describe");
  auto parsed = ParseManifestBytes(*answer, name_, entry_, dependencies_.options);
  if (!parsed.ok()) co_return parsed.status();
  *manifest = *std::move(parsed);
  co_return absl::OkStatus();
}

io::Task<absl::Status> Supervisor::Introduce(PluginProcess& process, CallContext context) {
  Manifest told;
  TALON_CO_RETURN_IF_ERROR(co_await AskManifest(process, &told, context));
  if (const std::string change = DescribeChange(manifest_, told); !change.empty()) {
    if (!cached_manifest_.empty()) {
      co_await loop_.Blocking([path = cached_manifest_] {
        std::error_code ignored;
        return std::filesystem::remove(path, ignored);
      });
    }
    co_return FailedPrecondition(fmt::format(
        "its manifest has changed ({}); {}", change,
        cached_manifest_.empty() ? "renew the manifest.json beside it by running it with --manifest"
                                 : "restart the daemon to accept it"));
  }
  const auto data = fmt::format("{}/{}", dependencies_.paths.data, name_);
  const auto credentials = co_await dependencies_.credentials.Fetch(name_, entry_);
  if (!credentials.ok()) co_return Annotate(credentials.status(), "configure");
  for (const auto& [name, value] : *credentials) dependencies_.redactor.Register(value);
  const auto configured = co_await process.Call(
      kConfigureMethod,
      EncodeConfigure(entry_.config.text, dependencies_.paths.workspace, data, *credentials),
      context);
  if (!configured.ok()) co_return Annotate(configured.status(), "configure");
  co_return absl::OkStatus();
}

}  // namespace talon::plugin
