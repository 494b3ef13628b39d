// SPDX-License-Identifier: Apache-2.0
// What changes while plugins are in use: reloads, configuration, plugin folders, trust, switches.
#include <fstream>
#include <set>

#include "base/file.h"
#include "plugin/plugin_log.h"
#include "tests/unit/plugin/host_rig.h"

namespace talon::plugin {
namespace {

namespace fs = std::filesystem;

class HostChangeTest : public HostTest {
 protected:
  absl::Status Reload(const std::string& plugin = "t") {
    return loop_.RunUntilDone(host_->Reload(plugin));
  }
  // The test plugin as <home>/plugins/<name>/<name>, with its manifest.
  std::string Install(const std::string& name) {
    const fs::path to = fs::path(paths_.home) / name;
    fs::create_directories(to);
    fs::copy_file(TALON_TEST_PLUGIN, to / name, fs::copy_options::overwrite_existing);
    fs::copy_file(fs::path(TALON_TEST_PLUGIN).parent_path() / "manifest.json", to / "manifest.json",
                  fs::copy_options::overwrite_existing);
    return (to / name).string();
  }
  // A script that starts the test plugin with `args`.
  void WriteScript(const std::string& path, const std::string& args) {
    ASSERT_TRUE(WriteFileAtomic(
                    path,
                    "#!/bin/sh\nexec " + std::string(TALON_TEST_PLUGIN) + " " + args + " \"$@\"\n",
                    0755)
                    .ok());
  }
  PluginInfo InfoOf(const std::string& name) {
    for (const PluginInfo& info : host_->List()) {
      if (info.name == name) return info;
    }
    ADD_FAILURE() << "no plugin " << name;
    return {};
  }
  PluginReport Report(const std::string& name) {
    auto report = loop_.RunUntilDone(host_->Inspect(name));
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : PluginReport();
  }
  absl::Status Trust(const std::string& name) {
    const PluginReport report = Report(name);
    return loop_.RunUntilDone(host_->Trust(name, {report.sha256, report.manifest_sha256, ""}));
  }
};

TEST_F(HostChangeTest, ReloadUnderLoadLosesNoCall) {
  Load();
  constexpr int kCallers = 64;
  constexpr int kReloads = 20;
  bool stop = false;
  int calls = 0;
  std::set<std::string> pids;
  std::vector<std::string> failures;
  io::Nursery callers(loop_);
  for (int i = 0; i < kCallers; ++i) {
    callers.Spawn([](HostChangeTest* test, bool* end, int* count, std::set<std::string>* seen,
                     std::vector<std::string>* lost) -> io::Task<void> {
      while (!*end) {
        const Output output = co_await test->Start("pid");
        ++*count;
        if (output.ok()) {
          seen->insert(output->content);
        } else {
          lost->push_back(StatusText(output.status()));
        }
      }
    }(this, &stop, &calls, &pids, &failures));
  }
  for (int i = 0; i < kReloads; ++i) {
    const int before = calls;
    EXPECT_TRUE(Reload().ok());
    ASSERT_TRUE(Until([&] { return calls >= before + kCallers; }));
  }
  stop = true;
  Run(callers.Join());
  EXPECT_TRUE(failures.empty()) << failures.size() << " of " << calls << ": " << failures[0];
  EXPECT_GE(pids.size(), static_cast<std::size_t>(kReloads));
  EXPECT_EQ(Info().calls, static_cast<std::uint64_t>(calls));
  EXPECT_EQ(Info().failures, 0U);
}

TEST_F(HostChangeTest, AReloadLetsCallsEndThatOutliveTheGrace) {
  options_.drain_grace = 1ms;
  options_.stop_grace = 1ms;
  Load();
  const std::string first = Content("pid");
  Output slow = absl::UnknownError("no answer");
  io::Nursery calls(loop_);
  calls.Spawn([](HostChangeTest* test, Output* output) -> io::Task<void> {
    *output = co_await test->Start("sleep_ms", {{"ms", 500}});
  }(this, &slow));
  ASSERT_TRUE(Reload().ok());
  EXPECT_NE(Content("pid"), first);
  Run(calls.Join());
  EXPECT_TRUE(slow.ok()) << slow.status();
}

TEST_F(HostChangeTest, CallsThatAreCutAreToldWhy) {
  options_.drain_grace = 1ms;
  options_.stop_grace = 1ms;
  struct Case {
    std::function<absl::Status()> change;
    const char* why;
  };
  const Case cases[] = {
      {[&] { return loop_.RunUntilDone(host_->SetEnabled("t", Switch::kOff)); }, "switched off"},
      {[&] { return loop_.RunUntilDone(host_->StopOne("t")); }, "the plugin was stopped"},
      {[&] { return loop_.RunUntilDone(host_->Load({})); }, "taken out of the configuration"}};
  for (const auto& [change, why] : cases) {
    Load();
    (void)loop_.RunUntilDone(host_->SetEnabled("t", Switch::kOn));
    (void)Content("pid");
    Output hanging = absl::UnknownError("no answer");
    io::Nursery calls(loop_);
    calls.Spawn([](HostChangeTest* test, Output* output) -> io::Task<void> {
      *output = co_await test->Start("hang");
    }(this, &hanging));
    PluginLog* log = host_->LogOf("t");
    ASSERT_TRUE(change().ok());
    Run(calls.Join());
    ExpectText(hanging.status(), why);
    EXPECT_EQ(ReasonOf(hanging.status()), ErrorReason::kPluginCrashed);
    std::string lines;
    for (const LogLine& line : log->Last(10)) lines += line.text + "\n";
    EXPECT_NE(lines.find("1 calls were cut"), std::string::npos) << lines;
    Run(host_->Stop());
  }
}

TEST_F(HostChangeTest, AReloadThatFailsLeavesTheOldOne) {
  entry_.plugin = folder_ / "script";
  entry_.pin = false;
  WriteScript(entry_.plugin, "");
  Load();
  const std::string first = Content("pid");
  WriteScript(entry_.plugin, "--exit 7");
  ExpectText(Reload(), "ended without one");
  EXPECT_EQ(Content("pid"), first);
  ExpectText(absl::UnknownError(Info().last_error), "not reloaded, the old one goes on");
  WriteScript(entry_.plugin, "--refuse-config");
  ExpectText(Reload(), "config: refused");
  EXPECT_EQ(Content("pid"), first);
  WriteScript(entry_.plugin, "");
  EXPECT_TRUE(Reload().ok());
  EXPECT_NE(Content("pid"), first);
}

TEST_F(HostChangeTest, AReloadBringsOtherToolsAndEndsCallsToThoseThatChanged) {
  entry_.plugin = folder_ / "script";
  entry_.pin = false;
  WriteScript(entry_.plugin, "");
  Load();
  (void)Content("pid");
  const auto echo = catalogue_.Find("t__echo")->tool;
  WriteScript(entry_.plugin, "--extra-tool");
  ASSERT_TRUE(Reload().ok());
  EXPECT_NE(catalogue_.Find("t__extra"), nullptr);
  // Held since before the reload, as by a call that waited for an approval.
  tool::Invocation invocation{.call_id = "c", .tool = "t__echo", .arguments = R"({"text":"x"})"};
  EXPECT_EQ(loop_.RunUntilDone(echo->Execute(invocation, {}))->content, "x");
  const auto extra = catalogue_.Find("t__extra")->tool;
  WriteScript(entry_.plugin, "");
  ASSERT_TRUE(Reload().ok());
  EXPECT_EQ(catalogue_.Find("t__extra"), nullptr);
  ExpectText(loop_.RunUntilDone(extra->Execute(invocation, {})).status(), "call it again");
}

TEST_F(HostChangeTest, LoadingAgainChangesWhatDiffers) {
  Load({{"t", entry_}, {"gone", entry_}});
  const std::string pid = Content("pid");
  const auto gone = catalogue_.Find("gone__echo")->tool;
  PluginEntry other = entry_;
  other.config.text = R"({"answer":42})";
  EXPECT_TRUE(loop_.RunUntilDone(host_->Load({{"t", entry_}, {"new", other}})).ok());
  EXPECT_EQ(Content("pid"), pid);  // not touched
  EXPECT_EQ(catalogue_.Find("gone__echo"), nullptr);
  EXPECT_NE(catalogue_.Find("new__echo"), nullptr);
  // Its calls go on until none is under way.
  std::string late;
  for (int i = 0; i < 100 && late.find("taken out of the configuration") == late.npos; ++i) {
    late = StatusText(loop_.RunUntilDone(gone->Execute({}, {})).status());
  }
  EXPECT_NE(late.find("taken out of the configuration"), late.npos) << late;
  EXPECT_TRUE(loop_.RunUntilDone(host_->Load({{"t", other}, {"new", other}})).ok());
  EXPECT_NE(Content("pid"), pid);
  EXPECT_EQ(Json::parse(Content("config"))["config"], R"({"answer":42})");
  other.enabled = false;
  EXPECT_TRUE(loop_.RunUntilDone(host_->Load({{"t", other}})).ok());
  EXPECT_EQ(catalogue_.size(), 0U);
  EXPECT_EQ(InfoOf("t").state, PluginState::kDisabled);
}

TEST_F(HostChangeTest, WhatIsFoundInAFolderRunsOnceItIsTrusted) {
  Install("found");
  Load({});
  EXPECT_EQ(InfoOf("found").state, PluginState::kUntrusted);
  EXPECT_EQ(InfoOf("found").origin, Origin::kFolder);
  EXPECT_NE(InfoOf("found").last_error.find("talon plugins trust found"), std::string::npos);
  EXPECT_EQ(catalogue_.size(), 0U);
  EXPECT_FALSE(fs::exists(folder_ / "data/found")) << "it was run";
  const PluginReport report = Report("found");
  EXPECT_EQ(report.trust, "untrusted");
  EXPECT_EQ(report.sha256.size(), 64U);
  EXPECT_NE(report.manifest_json.find("echo"), std::string::npos) << "what would be trusted";

  EXPECT_EQ(loop_.RunUntilDone(host_->Trust("found", {std::string(64, '0'), "", ""})).code(),
            absl::StatusCode::kAborted);
  ASSERT_TRUE(Trust("found").ok());
  EXPECT_NE(catalogue_.Find("found__echo"), nullptr);
  EXPECT_EQ(Report("found").trust, "trusted");
  const std::string lock = paths_.home + "/plugins.lock";
  EXPECT_EQ(fs::status(lock).permissions(), fs::perms::owner_read | fs::perms::owner_write);

  // Beyond a restart, and only for this content.
  Run(host_->Stop());
  Load({});
  EXPECT_NE(catalogue_.Find("found__echo"), nullptr);
  std::ofstream(paths_.home + "/found/found", std::ios::app) << "changed";
  ASSERT_TRUE(Reload("found").code() == absl::StatusCode::kPermissionDenied);
  Run(host_->Stop());
  Load({});
  EXPECT_EQ(InfoOf("found").state, PluginState::kUntrusted);
  ExpectText(absl::UnknownError(InfoOf("found").last_error), "has changed since it was trusted");
}

TEST_F(HostChangeTest, AProgramWithoutAManifestIsAskedBeforeItIsTrusted) {
  const fs::path folder = fs::path(paths_.home) / "found";
  const auto install = [&](const std::string& args) {
    fs::create_directories(folder);
    WriteScript((folder / "found").string(), args);
  };
  install("");
  Load({});
  EXPECT_EQ(Report("found").manifest_json, "") << "nobody asked for it to be run";
  const auto examine = [&] {
    auto report = loop_.RunUntilDone(host_->Examine("found"));
    EXPECT_TRUE(report.ok()) << report.status();
    return *report;
  };
  const PluginReport asked = examine();
  EXPECT_NE(asked.manifest_json.find("echo"), std::string::npos);
  EXPECT_EQ(asked.declared_sha256.size(), 64U);
  EXPECT_EQ(asked.sha256, Report("found").sha256);
  EXPECT_EQ(InfoOf("found").state, PluginState::kUntrusted) << "asking is not trusting";
  EXPECT_FALSE(fs::exists(folder_ / "data/found"));
  EXPECT_FALSE(fs::exists(folder_ / "cache"));

  // What was seen is what is trusted, not what it says from then on.
  const auto trust = [&](const std::string& declared) {
    return loop_.RunUntilDone(host_->Trust("found", {asked.sha256, "", declared}));
  };
  ExpectText(trust(std::string(64, '0')), "declares other tools, effects or needs");
  EXPECT_EQ(catalogue_.size(), 0U);
  ASSERT_TRUE(trust(asked.declared_sha256).ok());
  EXPECT_NE(catalogue_.Find("found__echo"), nullptr);
  EXPECT_EQ(examine().trust, "trusted");

  // An update is asked anew; one that does not answer says why.
  install("--extra-tool");
  EXPECT_NE(examine().manifest_json.find("\"extra\""), std::string::npos);
  install("--exit 3");
  const PluginReport silent = examine();
  EXPECT_EQ(silent.manifest_json, "");
  EXPECT_EQ(silent.declared_sha256, "");
  EXPECT_NE(silent.problem.find("exiting as told"), std::string::npos) << silent.problem;
}

TEST_F(HostChangeTest, ALockThatOthersMayWriteTrustsNothing) {
  Install("found");
  Load({});
  ASSERT_TRUE(Trust("found").ok());
  Run(host_->Stop());
  fs::permissions(paths_.home + "/plugins.lock", fs::perms::others_write, fs::perm_options::add);
  Load({{"t", entry_}});
  EXPECT_EQ(InfoOf("found").state, PluginState::kUntrusted);
  EXPECT_EQ(InfoOf("t").state, PluginState::kUntrusted);
  ExpectText(absl::UnknownError(InfoOf("t").last_error), "chmod 600");
}

TEST_F(HostChangeTest, AConfiguredProgramIsPinnedAtItsFirstStart) {
  entry_.plugin = Install("mine");
  paths_.home = folder_ / "other";
  Load();
  EXPECT_EQ(Content("echo", {{"text", "x"}}), "x");
  EXPECT_EQ(Report("t").trust, "trusted");
  ASSERT_TRUE(loop_.RunUntilDone(host_->StopOne("t")).ok());
  ASSERT_TRUE(Until([&] { return Info().pid == 0; }));
  const std::string other = entry_.plugin + ".new";
  fs::copy_file(entry_.plugin, other);
  std::ofstream(other, std::ios::app) << "changed";
  fs::rename(other, entry_.plugin);
  ExpectText(Call("echo").status(), "has changed since it was trusted");
  EXPECT_EQ(Info().state, PluginState::kUntrusted);
  ASSERT_TRUE(Trust("t").ok());
  EXPECT_EQ(Content("echo", {{"text", "y"}}), "y");
  // Unless it is not to be pinned.
  Run(host_->Stop());
  entry_.pin = false;
  fs::copy_file(entry_.plugin, other);
  std::ofstream(other, std::ios::app) << "changed again";
  fs::rename(other, entry_.plugin);
  Load();
  EXPECT_EQ(Content("echo", {{"text", "z"}}), "z");
  EXPECT_EQ(Report("t").trust, "not pinned");
}

TEST_F(HostChangeTest, ALinkThatLeadsElsewhereIsAChangedProgram) {
  const std::string one = Install("one");
  const std::string two = Install("two");
  const std::string link = folder_ / "link";
  fs::create_symlink(one, link);
  entry_.plugin = link;
  paths_.home = folder_ / "other";
  Load();
  EXPECT_EQ(Report("t").trust, "trusted");
  fs::remove(link);
  fs::create_symlink(two, link);
  ExpectText(Reload(), "leads to '" + two + "', and led to '" + one + "'");
  EXPECT_EQ(Report("t").trust, "untrusted");
  ASSERT_TRUE(Trust("t").ok());
  EXPECT_EQ(Content("echo", {{"text", "x"}}), "x");
  // The lock remembers both paths; another path in the configuration is the operator's word.
  Run(host_->Stop());
  fs::remove(link);
  fs::create_symlink(one, link);
  Load();
  ExpectText(absl::UnknownError(Info().last_error), "talon plugins trust t");
  Run(host_->Stop());
  entry_.plugin = one;
  Load();
  EXPECT_EQ(Content("echo", {{"text", "y"}}), "y");
}

TEST_F(HostChangeTest, WhatIsNoPluginIsPinnedAlike) {
  const std::string program = Install("chat");
  paths_.home = folder_ / "other";
  const auto admit = [&] { return loop_.RunUntilDone(host_->Admit("channel:chat", program)); };
  Load({});
  EXPECT_TRUE(admit().ok());
  EXPECT_EQ(Report("channel:chat").trust, "trusted");
  Run(host_->Stop());
  fs::copy_file(program, program + ".new");
  std::ofstream(program + ".new", std::ios::app) << "changed";
  fs::rename(program + ".new", program);
  Load({});
  ExpectText(admit().status(), "has changed since it was trusted");
  ExpectText(admit().status(), "talon plugins trust channel:chat");
  ASSERT_TRUE(Trust("channel:chat").ok());
  const auto admitted = admit();
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  EXPECT_EQ((*admitted)->path(), program);
}

TEST_F(HostChangeTest, AProgramOthersMayReplaceIsRefused) {
  entry_.plugin = Install("mine");
  paths_.home = folder_ / "other";
  fs::permissions(folder_ / "plugins/mine", fs::perms::others_write, fs::perm_options::add);
  Load();
  EXPECT_EQ(Info().state, PluginState::kFailed);
  ExpectText(absl::UnknownError(Info().last_error), "can be written by others");
  // Also between two starts.
  fs::permissions(folder_ / "plugins/mine", fs::perms::others_write, fs::perm_options::remove);
  ASSERT_TRUE(Reload().ok());
  fs::permissions(entry_.plugin, fs::perms::others_write, fs::perm_options::add);
  ExpectText(Call("echo").status(), "can be written by others");
}

TEST_F(HostChangeTest, SwitchesOutliveTheDaemonAndTheEntryHasTheLastWord) {
  Load();
  (void)Content("pid");
  ASSERT_TRUE(loop_.RunUntilDone(host_->SetEnabled("t", Switch::kOff)).ok());
  EXPECT_EQ(Info().state, PluginState::kDisabled);
  EXPECT_EQ(catalogue_.size(), 0U);
  Run(host_->Stop());
  Load();
  EXPECT_EQ(Info().state, PluginState::kDisabled);
  ASSERT_TRUE(loop_.RunUntilDone(host_->SetEnabled("t", Switch::kOn)).ok());
  EXPECT_EQ(Content("echo", {{"text", "x"}}), "x");
  Run(host_->Stop());
  entry_.enabled = false;
  Load();
  ExpectText(loop_.RunUntilDone(host_->SetEnabled("t", Switch::kOn)), "plugins.t.enabled: false");
  EXPECT_EQ(loop_.RunUntilDone(host_->SetEnabled("x", Switch::kOff)).code(),
            absl::StatusCode::kNotFound);
}

TEST_F(HostChangeTest, LogsAreKeptFollowedAndWithoutSecrets) {
  entry_.env.emplace("TOKEN", "about to crash");
  options_.max_log_lines = 3;
  Load();
  PluginLog* log = host_->LogOf("t");
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(host_->LogOf("x"), nullptr);
  const auto follower = log->Follow();
  (void)Call("crash");
  ASSERT_TRUE(Until([&] { return Info().last_error.find("signal 11") != std::string::npos; }));
  std::string seen;
  for (const LogLine& line : loop_.RunUntilDone(follower->Next({}))) {
    seen += line.level + " " + line.text + "\n";
  }
  EXPECT_NE(seen.find("[redacted]"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("about to crash"), std::string::npos) << seen;
  EXPECT_EQ(log->Last(100).size(), 3U);
  Run(host_->Stop());
  // The next daemon shows the end of the file.
  Load();
  EXPECT_EQ(host_->LogOf("t")->Last(100).size(), 3U);
}

}  // namespace
}  // namespace talon::plugin
