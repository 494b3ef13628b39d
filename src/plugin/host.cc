// SPDX-License-Identifier: Apache-2.0
// Loading, reloading and ending: how a plugin gets and loses its place. What an operator asks for
// by name is in host_operator.cc.
#include "plugin/host.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "io/loop.h"
#include "plugin/launch.h"
#include "plugin/plugin_tool.h"
#include "plugin/process_host.h"
#include "plugin/switches.h"

namespace talon::plugin {
namespace {

absl::Status Stopped() {
  return Unavailable("the plugin host has stopped");
}

}  // namespace

absl::StatusOr<ProcessHost::Supervised> ProcessHost::Find(std::string_view plugin) const {
  const auto found = supervisors_.find(plugin);
  if (found != supervisors_.end()) return found->second;
  if (coming_.contains(plugin)) {
    return Unavailable(fmt::format(
        "plugin '{}': it is being asked what it offers; try again in a moment", plugin));
  }
  return NotFound(
      fmt::format("plugin '{}': no such plugin; `talon plugins` lists those there are", plugin));
}

// What there is now by name, with the switches applied.
io::Task<std::map<std::string, Found>> ProcessHost::LookAround() {
  PluginFolders folders{paths_.bundled, paths_.examples, options_.dirs};
  if (!paths_.home.empty()) folders.own.insert(folders.own.begin(), paths_.home);
  auto found = co_await loop_.Blocking(
      [entries = entries_, folders = std::move(folders)] { return Discover(entries, folders); });
  for (auto& [name, one] : found) {
    if (switched_off_.contains(name)) one.entry.enabled = false;
  }
  co_return found;
}

ProcessHost::Supervised ProcessHost::Make(const std::string& name, Found found) {
  std::shared_ptr<PluginLog>& log = logs_[name];
  if (log == nullptr) {
    // A name that is none of a plugin's would be a path of its own choice.
    const bool keeps = CheckPluginName(name).ok() && !paths_.home.empty();
    log = std::make_shared<PluginLog>(loop_, clock_, options_, redactor_, name,
                                      keeps ? At(fmt::format("logs/{}.log", name)) : "");
  }
  return std::make_shared<Supervisor>(
      name, std::move(found), log,
      Supervisor::Dependencies{loop_, clock_, paths_, options_, credentials_, redactor_, trust_,
                               digests_, [this] { return Random(); }, sandbox_.get(),
                               [this](Supervisor& changed) { ToolsChanged(changed); }});
}

std::vector<PluginInfo> ProcessHost::List() const {
  std::map<std::string, PluginInfo> all;
  for (const auto& [name, supervisor] : supervisors_) all[name] = supervisor->Info();
  for (const auto& [name, supervisor] : coming_) {
    all[name] = supervisor->Info();
    if (supervisor->found().entry.enabled) all[name].state = PluginState::kStarting;
  }
  std::vector<PluginInfo> list;
  for (auto& [name, info] : all) list.push_back(std::move(info));
  return list;
}

// What outlives the daemon. Once.
io::Task<absl::Status> ProcessHost::ReadState() {
  const auto leftovers =
      co_await loop_.Blocking([run = paths_.run] { return RemoveLeftovers(run); });
  if (leftovers > 0) {
    log::Info("plugins of a killed daemon were ended", {{"count", leftovers}});
  }
  if (paths_.home.empty()) co_return absl::OkStatus();
  auto off = co_await loop_.Blocking([path = At(kSwitchesFile)] { return ReadSwitches(path); });
  if (!off.ok()) co_return off.status();
  switched_off_ = *std::move(off);
  auto book =
      co_await loop_.Blocking([path = At(TrustBook::kFileName)] { return TrustBook::Read(path); });
  if (book.ok()) {
    trust_ = *std::move(book);
  } else {
    trust_ = TrustBook::Unreadable(book.status());
    log::Error("plugins that need trust are refused", {{"reason", Message(book.status())}});
  }
  co_return absl::OkStatus();
}

io::Task<absl::Status> ProcessHost::Load(std::map<std::string, PluginEntry> plugins) {
  const std::uint64_t stops = stops_;
  co_await changes_.Enter();
  if (stops != stops_) {
    changes_.Leave();
    co_return Cancelled("load plugins: the host was stopped");
  }
  closed_ = false;
  entries_ = std::move(plugins);
  absl::Status status;
  if (!state_read_) status = co_await ReadState();
  state_read_ = status.ok();
  if (status.ok()) {
    std::map<std::string, Found> found = co_await LookAround();
    if (closed_) found.clear();
    const auto before = supervisors_;
    for (const auto& [name, supervisor] : before) {
      if (!found.contains(name)) TakeAway(name);
    }
    std::map<std::string, Candidate> candidates;
    io::Nursery loads(loop_);
    for (auto& [name, one] : found) {
      Candidate* candidate = Consider(name, std::move(one), candidates);
      if (candidate != nullptr) loads.Spawn(LoadInPlace(name, candidate));
    }
    co_await loads.Join();
    (void)co_await KeepTrust();
  }
  changes_.Leave();
  if (closed_) co_return Cancelled("load plugins: the host was stopped");
  co_return status;
}

// Null when the plugin is as it is to be.
ProcessHost::Candidate* ProcessHost::Consider(const std::string& name, Found found,
                                              std::map<std::string, Candidate>& into) {
  const auto at = supervisors_.find(name);
  if (at != supervisors_.end() && at->second->found() == found &&
      (at->second->usable() || !found.entry.enabled)) {
    return nullptr;
  }
  Candidate& candidate = into[name];
  candidate.next = Make(name, std::move(found));
  others_.insert(candidate.next);
  if (at == supervisors_.end()) coming_[name] = candidate.next;
  return &candidate;
}

io::Task<void> ProcessHost::LoadOne(Candidate* candidate) {
  if (candidate->next->found().entry.enabled) candidate->loaded = co_await candidate->next->Load();
}

// Each when it is known: one that must be run for it keeps the others from nothing.
io::Task<void> ProcessHost::LoadInPlace(std::string name, Candidate* candidate) {
  co_await LoadOne(candidate);
  (void)co_await PutInPlace(std::move(name), std::move(*candidate));
}

// One that does not work takes nobody's place who does.
io::Task<absl::Status> ProcessHost::PutInPlace(std::string name, Candidate candidate) {
  const Supervised next = candidate.next;
  coming_.erase(name);
  const auto at = supervisors_.find(name);
  const Supervised old = at == supervisors_.end() ? nullptr : at->second;
  absl::Status status = candidate.loaded;
  const bool replaces = old != nullptr && old->usable() && next->found().entry.enabled;
  if (status.ok() && replaces) status = co_await next->Start();
  if (closed_) status = Stopped();
  if (status.ok()) {
    if (old != nullptr && old->usable()) catalogue_.RemovePlugin(name);
    status = Offer(name, next);
    if (!status.ok() && replaces) (void)Offer(name, old);  // as it did before
  }
  if (!status.ok() && (replaces || closed_)) {
    if (replaces && !closed_) old->NoteRefusedReload(status);
    co_await next->Stop(Stopped());
    others_.erase(next);
    co_return status;
  }
  if (!status.ok()) next->Refuse(status);
  others_.erase(next);
  supervisors_[name] = next;
  if (old != nullptr) {
    old->HandOver(next->usable() ? next : nullptr);
    // Its calls were made in good faith: they have the time they were given.
    const std::string_view why =
        next->found().entry.enabled ? "it cannot be loaded any more" : "it was switched off";
    LetGo(old, next->usable() ? SteadyTime::max() : AfterGrace(), why);
  }
  co_return status;
}

absl::Status ProcessHost::Offer(const std::string& name, const Supervised& supervisor) {
  const Manifest& manifest = supervisor->manifest();
  // A name that is not a plugin's may be somebody else's.
  if (!supervisor->usable() || (manifest.tools.empty() && !manifest.dynamic)) {
    return absl::OkStatus();
  }
  std::vector<std::shared_ptr<tool::Tool>> tools;
  for (const Manifest::Tool& tool : manifest.tools) {
    tools.push_back(std::make_shared<PluginTool>(tool, supervisor));
  }
  const auto refused = catalogue_.Replace(name, std::move(tools));
  if (!refused.empty() && !manifest.dynamic) {
    catalogue_.RemovePlugin(name);
    return Annotate(refused.front(), fmt::format("plugin '{}'", name));
  }
  // Tools that come from elsewhere: one that cannot be offered does not take the others with it.
  for (const absl::Status& why : refused) {
    log::Warn("tool is not offered", {{"plugin", name}, {"reason", Message(why)}});
  }
  return absl::OkStatus();
}

// One that is not in place yet is offered when it is.
void ProcessHost::ToolsChanged(Supervisor& supervisor) {
  const auto at = supervisors_.find(supervisor.name());
  if (closed_ || at == supervisors_.end() || at->second.get() != &supervisor) return;
  (void)Offer(at->first, at->second);  // never refused as a whole: its tools are dynamic
}

void ProcessHost::TakeAway(const std::string& name) {
  const auto at = supervisors_.find(name);
  if (at->second->usable()) catalogue_.RemovePlugin(name);
  LetGo(at->second, AfterGrace(), "it was taken out of the configuration");
  supervisors_.erase(at);
}

SteadyTime ProcessHost::AfterGrace() const {
  return clock_.SteadyNow() + options_.drain_grace;
}

// `why` is told to calls that go on at `until`.
void ProcessHost::LetGo(const Supervised& supervisor, SteadyTime until, std::string_view why) {
  others_.insert(supervisor);
  drains_.Spawn(Drain(supervisor, until, Unavailable(why)));
}

io::Task<void> ProcessHost::Drain(Supervised supervisor, SteadyTime until, absl::Status why) {
  co_await supervisor->Drained(until);
  co_await supervisor->Stop(std::move(why));
  others_.erase(supervisor);
}

io::Task<absl::Status> ProcessHost::KeepTrust() {
  if (paths_.home.empty()) co_return absl::OkStatus();
  co_await lock_file_.Enter();
  absl::Status written;
  if (trust_.changed()) {
    trust_.NoteWritten();  // what is put from now on is for the next
    written = co_await loop_.Blocking([path = At(TrustBook::kFileName), text = trust_.Text()] {
      return TrustBook::Write(path, text);
    });
  }
  lock_file_.Leave();
  if (!written.ok()) {
    trust_.NoteNotWritten();
    log::Warn("plugins.lock is not written", {{"reason", Message(written)}});
  }
  co_return written;
}

// Looks for the plugin again and puts what is there in place. Inside the turnstile.
io::Task<absl::Status> ProcessHost::Renew(std::string name) {
  std::map<std::string, Found> found = co_await LookAround();
  if (closed_) co_return Stopped();
  const auto one = found.find(name);
  if (one == found.end()) {
    co_return NotFound(
        fmt::format("plugin '{}': no such plugin; `talon plugins` lists those there are", name));
  }
  Candidate candidate{.next = Make(name, std::move(one->second)), .loaded = {}};
  others_.insert(candidate.next);
  co_await LoadOne(&candidate);
  const absl::Status status = co_await PutInPlace(std::move(name), std::move(candidate));
  (void)co_await KeepTrust();
  co_return status;
}

io::Task<absl::Status> ProcessHost::Alone(io::Task<absl::Status> change) {
  co_await changes_.Enter();
  absl::Status status = Stopped();
  if (!closed_) status = co_await std::move(change);
  changes_.Leave();
  co_return status;
}

io::Task<absl::Status> ProcessHost::Reload(std::string plugin) {
  co_return co_await Alone(Renew(std::move(plugin)));
}

io::Task<void> ProcessHost::Stop() {
  closed_ = true;
  ++stops_;
  // What a change under way waits for ends, and then the change does.
  const auto others = others_;
  for (const Supervised& supervisor : others) supervisor->Abort(Stopped());
  co_await changes_.Enter();
  io::Nursery stops(loop_);
  for (const auto& [name, supervisor] : supervisors_) {
    if (supervisor->usable()) catalogue_.RemovePlugin(name);
    stops.Spawn(supervisor->Stop(Stopped()));
  }
  co_await stops.Join();
  co_await drains_.Join();
  supervisors_.clear();
  for (const auto& [name, log] : logs_) co_await log->Close();
  changes_.Leave();
}

std::unique_ptr<Host> MakeHost(io::Loop& loop, const Clock& clock, tool::Catalogue& catalogue,
                               HostPaths paths, HostOptions options, HostServices services) {
  return std::make_unique<ProcessHost>(loop, clock, catalogue, std::move(paths), std::move(options),
                                       services);
}

}  // namespace talon::plugin
