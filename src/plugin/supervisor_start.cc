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
#include "plugin/handshake.h"
#include "plugin/supervisor.h"
#include "plugin/vet.h"

namespace talon::plugin {
namespace {

struct FoundManifest {
  std::string json;        // empty: none
  std::string cache_path;  // where it is or belongs in the cache; empty: it was beside the program
};

// Blocks.
absl::StatusOr<FoundManifest> FindManifest(const Evidence& evidence,
                                           const std::vector<std::string>& args,
                                           const std::string& cache, std::size_t max_bytes,
                                           DigestCache& digests) {
  if (evidence.manifest) return FoundManifest{*evidence.manifest, ""};
  TALON_ASSIGN_OR_RETURN(const std::string key, ProgramKey(*evidence.program, args, digests));
  FoundManifest found;
  found.cache_path = fmt::format("{}/{}.json", cache, key);
  if (auto cached = ReadFile(found.cache_path, max_bytes); cached.ok()) {
    found.json = *std::move(cached);
  }
  return found;
}

}  // namespace

absl::StatusOr<std::string> ProgramKey(const Program& program, const std::vector<std::string>& args,
                                       DigestCache& digests) {
  TALON_ASSIGN_OR_RETURN(std::string key, program.Sha256(digests));
  for (const std::string& arg : args) key += '\0' + arg;
  return Sha256Hex(key);
}

Supervisor::Supervisor(std::string name, Found found, std::shared_ptr<PluginLog> log,
                       Dependencies dependencies)
    : name_(std::move(name)),
      found_(std::move(found)),
      entry_(found_.entry),
      log_(std::move(log)),
      dependencies_(std::move(dependencies)),
      loop_(dependencies_.loop),
      policy_(dependencies_.options, dependencies_.random),
      tasks_(loop_),
      endings_(loop_) {}

LaunchSpec Supervisor::MakeLaunchSpec(std::shared_ptr<const Program> file) const {
  return {.name = name_,
          .program = found_.program,
          .file = std::move(file),
          .args = entry_.args,
          .env = entry_.env,
          .protocol = entry_.protocol,
          .mtls = entry_.mtls,
          .cookie = entry_.cookie,
          .protocol_versions = entry_.protocol_versions,
          .config_json = entry_.config.text,
          .run_directory = dependencies_.paths.run,
          .data_directory = fmt::format("{}/{}", dependencies_.paths.data, name_),
          .sandbox_plan = MakePlan()};
}

io::Task<absl::StatusOr<Evidence>> Supervisor::Vet(Purpose purpose) {
  // An operator who does not pin a path trusts whatever stands there.
  const bool unpinned = found_.origin == Origin::kConfigured && !entry_.pin;
  const Origin origin = unpinned ? Origin::kBundled : found_.origin;
  if (!entry_.sealed) purpose = Purpose::kLook;
  auto vetted = co_await plugin::Vet({.loop = loop_,
                                      .clock = dependencies_.clock,
                                      .trust = dependencies_.trust,
                                      .digests = dependencies_.digests,
                                      .max_manifest = dependencies_.options.max_manifest.value},
                                     name_, found_.program, origin, purpose);
  TALON_CO_RETURN_IF_ERROR(vetted.status());
  Evidence& evidence = vetted->evidence;
  if (vetted->recorded) {
    log_->Note(fmt::format("trusted at its first start: '{}', sha256 {}", evidence.program->path(),
                           evidence.sha256));
  }
  co_return std::move(evidence);
}

// A script may be the same while what it loads is not.
absl::Status Supervisor::CheckDeclared() {
  const TrustRecord* record = dependencies_.trust.Find(name_);
  const bool unpinned = found_.origin == Origin::kConfigured && !entry_.pin;
  if (record == nullptr || found_.origin == Origin::kBundled || unpinned) return absl::OkStatus();
  const std::string declared = DeclaredDigest(manifest_);
  if (record->declared_sha256 == declared) return absl::OkStatus();
  // Other arguments are the operator's doing.
  if (!record->declared_sha256.empty() && record->args == entry_.args) {
    return MakeError(absl::StatusCode::kPermissionDenied, ErrorReason::kDenied,
                     fmt::format("it declares other tools, effects or needs than when it was "
                                 "trusted; look at it and run `talon plugins trust {}`",
                                 name_));
  }
  TrustRecord known = *record;
  known.declared_sha256 = declared;
  known.args = entry_.args;
  dependencies_.trust.Put(name_, std::move(known));
  return absl::OkStatus();
}

io::Task<absl::Status> Supervisor::Load() {
  const auto self = shared_from_this();
  co_await log_->Open();
  TALON_CO_RETURN_IF_ERROR(co_await LoadManifest());
  declared_ = manifest_;
  if (declared_.dynamic) {
    if (absl::Status tools = co_await LoadTools(); !tools.ok()) co_return Named(tools);
  }
  loaded_ = true;
  co_return absl::OkStatus();
}

io::Task<absl::Status> Supervisor::LoadManifest() {
  TALON_CO_RETURN_IF_ERROR(CheckPluginName(name_));
  if (absl::Status env = CheckEnvironment(entry_.env); !env.ok()) co_return Named(env);
  if (absl::Status paths = CheckSandbox(entry_.sandbox); !paths.ok()) co_return Named(paths);
  if (absl::Status cookie = CheckCookie(entry_.cookie); !cookie.ok()) co_return Named(cookie);
  if (absl::Status given = CheckCredentials(entry_.credentials); !given.ok())
    co_return Named(given);
  for (const auto& [name, value] : entry_.env) dependencies_.redactor.Register(value);
  auto evidence = co_await Vet(Purpose::kLook);
  if (!evidence.ok()) co_return Named(evidence.status());
  auto found = co_await loop_.Blocking(
      [evidence = *evidence, args = entry_.args, cache = dependencies_.paths.cache,
       digests = &dependencies_.digests, max_bytes = dependencies_.options.max_manifest.value] {
        return FindManifest(evidence, args, cache, max_bytes, *digests);
      });
  if (!found.ok()) co_return Named(found.status());
  if (!found->json.empty()) {
    auto manifest = ParseManifestJson(found->json, name_, entry_, dependencies_.options);
    if (manifest.ok()) {
      manifest_ = *std::move(manifest);
      cached_manifest_ = found->cache_path;
      co_return Named(CheckDeclared());
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
  if (absl::Status declared = CheckDeclared(); !declared.ok()) co_return Named(declared);
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
  TALON_CO_ASSIGN_OR_RETURN(const Evidence evidence, co_await Vet(Purpose::kStart));
  const auto process = std::make_shared<PluginProcess>(
      loop_, MakeLaunchSpec(evidence.program), dependencies_.options, *log_, dependencies_.sandbox);
  absl::Status status = co_await process->Start(context);
  if (process->sandbox_report() != nullptr) sandbox_report_ = *process->sandbox_report();
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
  if (const std::string change = DescribeChange(declared_, told); !change.empty()) {
    if (!cached_manifest_.empty()) {
      co_await loop_.Blocking([path = cached_manifest_] {
        std::error_code ignored;
        return std::filesystem::remove(path, ignored);
      });
    }
    co_return FailedPrecondition(fmt::format(
        "its manifest has changed ({}); {}", change,
        cached_manifest_.empty()
            ? std::string("renew the manifest.json beside it by running it with --manifest")
            : fmt::format("run `talon plugins reload {}` to accept it", name_)));
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
  if (declared_.dynamic) co_return co_await AskTools(process, context);
  co_return absl::OkStatus();
}

}  // namespace talon::plugin
