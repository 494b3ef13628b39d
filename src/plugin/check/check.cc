// SPDX-License-Identifier: Apache-2.0
#include "plugin/check/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "base/secret.h"
#include "base/status.h"
#include "io/loop.h"
#include "plugin/check/calls.h"
#include "plugin/check/manifest_rules.h"
#include "plugin/contract.h"
#include "plugin/credentials.h"
#include "plugin/manifest.h"
#include "plugin/plugin_log.h"
#include "plugin/plugin_process.h"
#include "plugin/sandbox.h"
#include "plugin/sandbox_plan.h"

namespace talon::plugin::check {
namespace {

constexpr std::chrono::seconds kCallLimit{10};  // where the entry names none
constexpr std::string_view kNoJson = "{not json";
constexpr std::string_view kConfined =
    "\nit ran in the sandbox, which shows /usr and its own file: grant more by --read FOLDER, "
    "which "
    "is `sandbox.read_paths` of its entry; --sandbox none runs it without";

long Milliseconds(SteadyTime from) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               from)
      .count();
}

class Examination {
 public:
  Examination(io::Loop& loop, Target target, const HostOptions& options, Scope scope)
      : loop_(loop),
        target_(std::move(target)),
        options_(options),
        scope_(scope),
        log_(loop, clock_, options, redactor_, target_.name, ""),
        sandbox_(target_.launcher, WorkspaceFolder(), target_.folder, /*home=*/"",
                 options.sandbox) {
    for (const auto& [name, value] : target_.entry.env) redactor_.Register(value);
    for (const auto& [name, value] : target_.entry.credentials) redactor_.Register(value);
  }

  io::Task<std::vector<Finding>> Run() {
    co_await sandbox_.Probe(loop_);
    co_await ReadFileBeside();
    if (co_await WithProcess(&Examination::Introduce)) {
      (void)co_await WithProcess(&Examination::Exercise);
    }
    co_return std::move(findings_);
  }

 private:
  using Part = io::Task<bool> (Examination::*)(PluginProcess&);

  void Add(std::string check, Verdict verdict, std::string text) {
    findings_.push_back({std::move(check), verdict, redactor_.Redact(text)});
  }
  void AddError(std::string check, const absl::Status& error) {
    Add(std::move(check), Verdict::kFail, std::string(Message(error)));
  }

  CallContext StartContext() const {
    CallContext context;
    context.deadline = std::chrono::steady_clock::now() + target_.entry.start_timeout;
    return context;
  }
  std::string DataFolder() const { return target_.folder + "/data"; }
  std::string WorkspaceFolder() const { return target_.folder + "/workspace"; }
  // As the host's: until the process has said what it needs, by the file beside it.
  SandboxPlan Plan() const {
    return PlanSandbox(target_.entry.sandbox, options_.sandbox,
                       manifest_.bytes.empty() && file_.ok() ? file_->needs : manifest_.needs);
  }
  LaunchSpec Launch() const;

  // A new process for `part`, ended behind it. False when the rest makes no sense.
  io::Task<bool> WithProcess(Part part);
  void JudgeEnd(const PluginProcess& process, long took_ms);

  // What it is, and how it takes a configuration that is none.
  io::Task<bool> Introduce(PluginProcess& process);
  io::Task<absl::StatusOr<Manifest>> Describe(PluginProcess& process);
  io::Task<void> ReadFileBeside();
  void CompareFile();
  void TellSandbox(const PluginProcess& process);
  io::Task<absl::Status> Configure(PluginProcess& process, std::string_view config);
  // Configured, and called.
  io::Task<bool> Exercise(PluginProcess& process);

  io::Loop& loop_;
  const Target target_;
  const HostOptions& options_;
  const Scope scope_;
  Redactor redactor_;
  SystemClock clock_;
  PluginLog log_;
  Sandbox sandbox_;
  absl::StatusOr<Manifest> file_ = NotFound("");  // manifest.json beside the program
  Manifest manifest_;                             // as the process says
  std::vector<Finding> findings_;
};

LaunchSpec Examination::Launch() const {
  const PluginEntry& entry = target_.entry;
  LaunchSpec spec;
  spec.name = target_.name;
  spec.program = target_.program;
  spec.args = entry.args;
  spec.env = entry.env;
  spec.protocol = entry.protocol;
  spec.mtls = entry.mtls;
  spec.cookie = entry.cookie;
  spec.protocol_versions = entry.protocol_versions;
  spec.config_json = entry.config.text;
  spec.run_directory = target_.folder;
  spec.data_directory = DataFolder();
  spec.sandbox_plan = Plan();
  return spec;
}

io::Task<bool> Examination::WithProcess(Part part) {
  const auto owned = std::make_shared<PluginProcess>(loop_, Launch(), options_, log_, &sandbox_);
  PluginProcess& process = *owned;
  const SteadyTime began = std::chrono::steady_clock::now();
  absl::Status started = co_await process.Start(StartContext());
  if (!started.ok()) {
    co_await process.Stop(StopKind::kKill);
    const absl::Status why = co_await process.Explain(std::move(started));
    const SandboxReport* report = process.sandbox_report();
    const bool confined = report != nullptr && report->fatal_layer.empty();
    Add("start", Verdict::kFail, fmt::format("{}{}", Message(why), confined ? kConfined : ""));
    co_return false;
  }
  const bool first = findings_.empty();
  if (first)
    Add("start", Verdict::kPass, fmt::format("handshake after {} ms", Milliseconds(began)));
  const bool go_on = co_await (this->*part)(process);
  const bool alive = process.alive();
  const SteadyTime asked = std::chrono::steady_clock::now();
  co_await process.Stop(StopKind::kGraceful);
  if (alive) {
    JudgeEnd(process, Milliseconds(asked));
  } else {
    AddError("alive", co_await process.Explain(Unavailable("it ended before it was asked to")));
  }
  co_return go_on&& alive;
}

void Examination::JudgeEnd(const PluginProcess& process, long took_ms) {
  if (process.stray_output() > 0) {
    Add("stdout", Verdict::kFail,
        fmt::format("{} bytes behind the handshake; log to stderr", process.stray_output()));
  } else {
    Add("stdout", Verdict::kPass, "only the handshake");
  }
  const auto& exit = process.exit_result();
  if (!exit || exit->signal != 0 || took_ms > options_.stop_grace.count()) {
    Add("shutdown", Verdict::kFail,
        fmt::format("it did not end by itself within {} ms of Shutdown",
                    options_.stop_grace.count()));
  } else {
    Add("shutdown", exit->code == 0 ? Verdict::kPass : Verdict::kWarn,
        fmt::format("ended after {} ms with exit code {}", took_ms, exit->code));
  }
}

io::Task<absl::StatusOr<Manifest>> Examination::Describe(PluginProcess& process) {
  const auto answer = co_await process.Call(kDescribeMethod, EncodeDescribe(), StartContext());
  if (!answer.ok()) co_return answer.status();
  co_return ParseManifestBytes(*answer, target_.name, target_.entry, options_);
}

io::Task<absl::Status> Examination::Configure(PluginProcess& process, std::string_view config) {
  ConfiguredCredentials source;
  const auto credentials = co_await source.Fetch(target_.name, target_.entry);
  if (!credentials.ok()) co_return credentials.status();
  const auto answer = co_await process.Call(
      kConfigureMethod, EncodeConfigure(config, WorkspaceFolder(), DataFolder(), *credentials),
      StartContext());
  co_return answer.status();
}

// The file beside the program is what an idle plugin is known by.
io::Task<void> Examination::ReadFileBeside() {
  const auto path = std::filesystem::path(target_.program).parent_path() / "manifest.json";
  const auto json = co_await loop_.Blocking(
      [path = path.string(), most = options_.max_manifest.value] { return ReadFile(path, most); });
  if (json.ok()) {
    file_ = ParseManifestJson(*json, target_.name, target_.entry, options_);
  } else {
    file_ = json.status();
  }
}

void Examination::CompareFile() {
  if (absl::IsNotFound(file_.status())) {
    return Add("manifest.json", Verdict::kSkip, "there is none beside the program");
  }
  if (!file_.ok()) return AddError("manifest.json", file_.status());
  const std::string change = DescribeChange(*file_, manifest_);
  Add("manifest.json", change.empty() ? Verdict::kPass : Verdict::kFail,
      change.empty() ? "says the same as the process"
                     : "the process says something else: " + change);
}

void Examination::TellSandbox(const PluginProcess& process) {
  const SandboxPlan plan = Plan();
  if (process.sandbox_report() == nullptr) {
    return Add("sandbox", Verdict::kSkip, "none, as asked for");
  }
  std::string text =
      fmt::format("profile {}, grade {}, network {}, workspace {}", NameOf(plan.profile),
                  SandboxGrade(plan, *process.sandbox_report(), sandbox_.root()),
                  NameOf(plan.network), NameOf(plan.workspace));
  std::vector<std::string> wanted = manifest_.needs.read_paths;
  wanted.insert(wanted.end(), manifest_.needs.write_paths.begin(),
                manifest_.needs.write_paths.end());
  std::vector<std::string> granted = plan.read_paths;
  granted.insert(granted.end(), plan.write_paths.begin(), plan.write_paths.end());
  std::erase_if(wanted, [&granted](const std::string& path) {
    return std::ranges::find(granted, path) != granted.end();
  });
  const bool all = wanted.empty();
  if (!all) text += fmt::format("; not granted by the entry: {}", fmt::join(wanted, ", "));
  Add("sandbox", all ? Verdict::kPass : Verdict::kWarn, std::move(text));
}

io::Task<bool> Examination::Introduce(PluginProcess& process) {
  auto manifest = co_await Describe(process);
  if (!manifest.ok()) {
    AddError("describe", manifest.status());
    co_return false;
  }
  const auto again = co_await Describe(process);
  const bool same = again.ok() && again->bytes == manifest->bytes;
  Add("describe", same ? Verdict::kPass : Verdict::kFail,
      same ? "answered twice, the same" : "the second answer differs from the first");
  manifest_ = *std::move(manifest);
  findings_.push_back(JudgeManifest(manifest_));
  CompareFile();
  const absl::Status refused = co_await Configure(process, kNoJson);
  if (refused.ok()) {
    Add("bad configuration", Verdict::kFail, fmt::format("'{}' was taken", kNoJson));
  } else if (!process.alive()) {
    Add("bad configuration", Verdict::kFail, "the plugin ended instead of refusing it");
  } else {
    Add("bad configuration", Verdict::kPass, std::string(Message(refused)));
  }
  co_return true;
}

io::Task<bool> Examination::Exercise(PluginProcess& process) {
  // What the first process was judged for is not told twice.
  std::erase_if(findings_, [](const Finding& finding) {
    return finding.verdict == Verdict::kPass &&
           (finding.check == "stdout" || finding.check == "shutdown");
  });
  TellSandbox(process);
  (void)co_await Describe(process);
  if (absl::Status taken = co_await Configure(process, target_.entry.config.text); !taken.ok()) {
    AddError("configure", taken);
    co_return false;
  }
  Add("configure", Verdict::kPass, "taken");
  if (manifest_.dynamic) {
    auto configured = co_await Describe(process);
    if (!configured.ok()) {
      AddError("describe", configured.status());
      co_return false;
    }
    manifest_ = *std::move(configured);
  }
  const auto limit = target_.entry.timeout.count() > 0 ? target_.entry.timeout : kCallLimit;
  CallChecks calls(loop_, process, manifest_, {limit, options_.max_open_questions}, findings_);
  co_await calls.Strangers();
  co_await calls.DeclaredServices();
  co_await calls.Tools(scope_);
  co_return true;
}

}  // namespace

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kWarn:
      return "warn";
    case Verdict::kFail:
      return "FAIL";
    case Verdict::kSkip:
      break;
  }
  return "skip";
}

io::Task<std::vector<Finding>> CheckPlugin(io::Loop& loop, Target target,
                                           const HostOptions& options, Scope scope) {
  for (const char* folder : {"/data", "/workspace"}) {
    absl::Status made = co_await loop.Blocking(
        [path = target.folder + folder] { return MakeDirectories(path, 0700); });
    if (!made.ok()) {
      co_return std::vector<Finding>{{"start", Verdict::kFail, std::string(Message(made))}};
    }
  }
  Examination examination(loop, std::move(target), options, scope);
  co_return co_await examination.Run();
}

}  // namespace talon::plugin::check
