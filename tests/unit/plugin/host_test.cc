// SPDX-License-Identifier: Apache-2.0
// The host with real processes: the test plugin, obedient and hostile.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/file.h"
#include "plugin/launch.h"
#include "tests/unit/plugin/host_rig.h"

namespace talon::plugin {
namespace {

TEST_F(HostTest, OffersToolsWithoutRunningThem) {
  Load();
  ASSERT_EQ(host_->List().size(), 1U);
  EXPECT_EQ(Info().state, PluginState::kStopped);
  EXPECT_EQ(Info().pid, 0);
  EXPECT_EQ(Info().version, "1.0");
  const tool::Entry* echo = catalogue_.Find("t__echo");
  ASSERT_NE(echo, nullptr);
  EXPECT_EQ(echo->tool->spec().plugin, "t");
  EXPECT_EQ(echo->tool->spec().effect, tool::EffectClass::kRead);
  EXPECT_EQ(catalogue_.Find("t__hang")->tool->spec().effect, tool::EffectClass::kExec);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "cache"));
}

TEST_F(HostTest, CallsStartItOnce) {
  Load();
  const Output output = Call("echo", {{"text", "hello"}});
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(output->content, "hello");
  EXPECT_EQ(output->call_id, "call_1");
  EXPECT_EQ(Info().state, PluginState::kRunning);
  const std::string pid = Content("pid");
  EXPECT_EQ(pid, std::to_string(Info().pid));
  EXPECT_EQ(Info().calls, 2U);
  EXPECT_EQ(Info().failures, 0U);
  EXPECT_EQ(Info().restarts, 0U);
}

TEST_F(HostTest, ConcurrentFirstCallsShareOneStart) {
  Load();
  std::set<std::string> pids;
  io::Nursery calls(loop_);
  for (int i = 0; i < 20; ++i) {
    calls.Spawn([](io::Task<Output> call, std::set<std::string>* to) -> io::Task<void> {
      const Output output = co_await std::move(call);
      to->insert(output.ok() ? output->content : StatusText(output.status()));
    }(Start("pid"), &pids));
  }
  Run(calls.Join());
  EXPECT_EQ(pids, std::set<std::string>{std::to_string(Info().pid)});
}

TEST_F(HostTest, TheEnvironmentIsExactlyWhatIsConfigured) {
  setenv("TALON_TEST_SECRET_OF_THE_DAEMON", "leak", 1);
  entry_.env.emplace("TOKEN", "abc123");
  entry_.env.emplace("LANG", "de_DE.UTF-8");
  Load();
  std::set<std::string> names;
  std::string value;
  std::istringstream lines(Content("env"));
  for (std::string line; std::getline(lines, line);) {
    names.insert(line.substr(0, line.find('=')));
    if (line.starts_with("HOME=")) value = line;
  }
  EXPECT_EQ(names, (std::set<std::string>{"PATH", "HOME", "TMPDIR", "LANG", "TOKEN",
                                          "TALON_PLUGIN_COOKIE", "TALON_CALLER_KEY",
                                          "PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR"}));
  EXPECT_EQ(value, "HOME=" + folder_ / "data/t");
  EXPECT_EQ(Content("cwd"), folder_ / "data/t");
  unsetenv("TALON_TEST_SECRET_OF_THE_DAEMON");
}

TEST_F(HostTest, FoldersArePrivate) {
  Load();
  (void)Call("echo");
  for (const auto& item : std::filesystem::directory_iterator(paths_.run)) {
    if (item.is_directory()) {
      EXPECT_EQ(item.status().permissions(), std::filesystem::perms::owner_all);
    }
  }
  EXPECT_EQ(std::filesystem::status(folder_ / "data/t").permissions(),
            std::filesystem::perms::owner_all);
}

TEST_F(HostTest, ConfigurationArrives) {
  entry_.config.text = R"({"answer":42})";
  Load();
  const Json got = Json::parse(Content("config"));
  EXPECT_EQ(got["config"], R"({"answer":42})");
  EXPECT_EQ(got["workspace"], paths_.workspace);
  EXPECT_EQ(got["data_directory"], folder_ / "data/t");
}

TEST_F(HostTest, CredentialsGoToConfigureOnlyAndAreRedacted) {
  entry_.credentials.emplace("API_KEY", "key-4711-secret");
  Load();
  const Json got = Json::parse(Content("config"));
  EXPECT_EQ(got["credentials"], Json({{"API_KEY", "key-4711-secret"}}));
  EXPECT_EQ(Content("env").find("key-4711-secret"), std::string::npos);
  EXPECT_EQ(redactor_.Redact("the key-4711-secret"), "the [redacted]");
}

TEST_F(HostTest, ACredentialThatCannotBeHadKeepsItFromStarting) {
  class Empty : public CredentialSource {
   public:
    io::Task<absl::StatusOr<Credentials>> Fetch(std::string plugin, PluginEntry) override {
      co_return NotFound("credential 'API_KEY' of " + plugin + ": the vault has none");
    }
  } source;
  credentials_ = &source;
  Load();
  ExpectText(Call("echo").status(), "credential 'API_KEY' of t: the vault has none");
}

TEST_F(HostTest, StoppingLetsCallsEndAndTheNextStartsItAgain) {
  Load();
  const std::string first = Content("pid");
  io::Nursery calls(loop_);
  Output slow;
  calls.Spawn([](io::Task<Output> call, Output* to) -> io::Task<void> {
    *to = co_await std::move(call);
  }(Start("sleep_ms", {{"ms", 100}}), &slow));
  ASSERT_TRUE(Until([&] { return Info().calls == 2; }));
  EXPECT_TRUE(loop_.RunUntilDone(host_->StopOne("t")).ok());
  EXPECT_EQ(Info().state, PluginState::kStopped);
  EXPECT_NE(Content("pid"), first);
  Run(calls.Join());
  EXPECT_EQ(slow->content, "slept");
  EXPECT_FALSE(Exists(std::stol(first)));
  EXPECT_EQ(loop_.RunUntilDone(host_->StopOne("x")).code(), absl::StatusCode::kNotFound);
}

TEST_F(HostTest, RestartingDoesNotWaitForTheBreaker) {
  options_.max_restarts = 1;
  Load();
  (void)Call("crash");
  ASSERT_TRUE(Until([&] { return Info().state == PluginState::kFailed; }));
  ExpectText(Call("echo").status(), "it crashed too often");
  EXPECT_TRUE(loop_.RunUntilDone(host_->Restart("t")).ok());
  EXPECT_EQ(Info().state, PluginState::kRunning);
  EXPECT_EQ(Content("echo", {{"text", "back"}}), "back");
}

// kill -9 of a busy plugin: the tool answers again within a second.
TEST_F(HostTest, AKilledBusyPluginAnswersAgainWithinASecond) {
  options_ = {};  // the waits of an installation
  Load();
  const long pid = std::stol(Content("pid"));
  io::Nursery calls(loop_);
  Output effect;
  Output read;
  const auto keep = [](io::Task<Output> call, Output* to) -> io::Task<void> {
    *to = co_await std::move(call);
  };
  calls.Spawn(keep(Start("hang"), &effect));
  // Read-only: its first run waits for the kill, its second finds the marker.
  calls.Spawn(keep(Start("wait_once", {{"marker", folder_ / "begun"}}), &read));
  ASSERT_TRUE(Until([&] { return std::filesystem::exists(folder_ / "begun"); }));
  kill(static_cast<pid_t>(pid), SIGKILL);
  const Output again = Call("pid", Json::object(), 1s);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_NE(std::stol(again->content), pid);
  Run(calls.Join());
  EXPECT_EQ(ReasonOf(effect.status()), ErrorReason::kPluginCrashed);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->content, "repeated");
}

TEST_F(HostTest, ARefusedConfigurationIsSaid) {
  LoadWith({"--refuse-config"});
  ExpectText(Call("echo").status(),
             "plugin 't': execute 'echo': it did not start: configure: "
             "config: refused");
}

TEST_F(HostTest, ToolErrorsAndStatuses) {
  Load();
  EXPECT_EQ(Call("fail", {{"text", "no"}})->error, "no");
  const Output status = Call("status", {{"code", 9}, {"text", "not now"}});
  EXPECT_EQ(status.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Message(status.status()), "plugin 't': execute 'status': not now");
  EXPECT_EQ(Call("wrong_id")->call_id, "wrong");
  EXPECT_EQ(Call("bad_utf8")->content, "bad \xff\xfe bytes");
}

TEST_F(HostTest, CrashEndsTheCallAndTheNextOneRestartsAtOnce) {
  Load();
  const std::string first = Content("pid");
  const Output crashed = Call("crash");
  EXPECT_EQ(crashed.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(crashed.status()), ErrorReason::kPluginCrashed);
  const std::string second = Content("pid");
  EXPECT_NE(first, second);
  EXPECT_EQ(Info().restarts, 1U);
  ASSERT_TRUE(Until([&] { return Info().last_error.find("signal 11") != std::string::npos; }))
      << Info().last_error;
  EXPECT_NE(Info().last_error.find("about to crash"), std::string::npos);
}

TEST_F(HostTest, ReadOnlyCallsAreRetriedOnce) {
  Load();
  EXPECT_EQ(Content("crash_once", {{"marker", folder_ / "marker"}}), "survived");
  EXPECT_EQ(Info().restarts, 1U);
}

TEST_F(HostTest, AnyMethodOfTheContractCanBeCalled) {
  Load({{"t", entry_}, {"off", {.enabled = false}}, {"gone", {.plugin = "/nonexistent/gone"}}});
  const auto call = [&](std::string plugin, std::string_view method, Repeat repeat) {
    CallContext context;
    context.deadline = std::chrono::steady_clock::now() + 20s;
    return loop_.RunUntilDone(host_->Call(std::move(plugin), method, "", context, repeat));
  };
  const auto answer = call("t", "/talon.v1.Plugin/Describe", Repeat::kOnce);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, host_->ManifestOf("t")->bytes);
  EXPECT_EQ(Info().calls, 0U) << "of 'gone', the first by name";
  EXPECT_EQ(call("t", "/talon.v1.Storage/Get", Repeat::kIfCrashed).status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(call("x", "/talon.v1.Storage/Get", Repeat::kOnce).status().code(),
            absl::StatusCode::kNotFound);
  const auto off = call("off", "/talon.v1.Storage/Get", Repeat::kOnce);
  EXPECT_EQ(off.status().code(), absl::StatusCode::kFailedPrecondition);
  ExpectText(off.status(), "plugin 'off': Get: it is not in use: its entry says `enabled: false`");
  const auto gone = call("gone", "/talon.v1.Storage/Get", Repeat::kOnce);
  EXPECT_EQ(gone.status().code(), absl::StatusCode::kFailedPrecondition);
  ExpectText(gone.status(), "/nonexistent/gone");
  for (const std::string_view name : {"x", "off", "gone"}) {
    EXPECT_EQ(host_->ManifestOf(name), nullptr) << name;
  }
}

TEST_F(HostTest, ACrashLoopIsGivenUpAndTriedAgainLater) {
  options_.max_restarts = 3;
  options_.backoff_max = 100ms;
  options_.restart_window = 10s;
  Load();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ReasonOf(Call("crash").status()), ErrorReason::kPluginCrashed);
  }
  ASSERT_TRUE(Until([&] { return Info().state == PluginState::kFailed; }));
  const Output refused = Call("echo");
  ExpectText(refused.status(), "it crashed too often");
  EXPECT_EQ(ReasonOf(refused.status()), ErrorReason::kNone);
  EXPECT_GT(RetryAfterMsOf(refused.status()), 0);
  (void)loop_.RunUntilDone(loop_.SleepUntil(std::chrono::steady_clock::now() + 110ms, {}));
  EXPECT_EQ(Content("echo", {{"text", "back"}}), "back");
  EXPECT_EQ(Info().state, PluginState::kRunning);
}

TEST_F(HostTest, BackoffLongerThanTheCallMayWaitIsRefusedAtOnce) {
  options_.backoff_base = 30s;
  Load();
  (void)Call("crash");
  (void)Call("crash");
  const Output refused = Call("echo", Json::object(), 1s);
  ExpectText(refused.status(), "it has crashed; the next start is tried in");
  EXPECT_EQ(Info().state, PluginState::kBackingOff);
}

TEST_F(HostTest, DeadlinesEndCallsAndTooManyReplaceTheProcess) {
  options_.max_abandoned_calls = 2;
  Load();
  const std::string first = Content("pid");
  const Output late = Call("hang", Json::object(), 30ms);
  EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded);
  ExpectText(late.status(), "plugin 't': execute 'hang': no answer within");
  EXPECT_EQ(Content("pid"), first);
  (void)Call("hang", Json::object(), 30ms);
  EXPECT_NE(Content("pid"), first);
  EXPECT_TRUE(Until([&] { return !Exists(std::stol(first)); }));
}

TEST_F(HostTest, Cancellation) {
  Load();
  (void)Call("echo");
  CancelSource source;
  loop_.Post([&] {
    loop_.CallAt(std::chrono::steady_clock::now() + 10ms,
                 [&] { source.Cancel(Cancelled("enough")); });
  });
  const Output output = loop_.RunUntilDone(Start("hang", Json::object(), 20s, source.token()));
  EXPECT_EQ(output.status().code(), absl::StatusCode::kCancelled);
}

TEST_F(HostTest, GarbageOnTheWireReplacesTheProcess) {
  Load();
  const std::string first = Content("pid");
  EXPECT_EQ(ReasonOf(Call("garbage").status()), ErrorReason::kPluginMisbehaved);
  EXPECT_NE(Content("pid"), first);
}

TEST_F(HostTest, FloodsAreRefusedAndLeaveTheProcess) {
  Load();
  const std::string first = Content("pid");
  EXPECT_EQ(Call("flood", {{"bytes", 1'000'000}})->content.size(), 1'000'000U);
  // The call was executed: whoever made it must not think that nothing happened.
  const absl::Status flood = Call("flood", {{"bytes", 50'000'000}}).status();
  EXPECT_EQ(flood.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(flood), ErrorReason::kPluginMisbehaved);
  EXPECT_EQ(Content("stderr_flood", {{"lines", 20'000}}), "flooded");
  EXPECT_EQ(Content("pid"), first);
}

TEST_F(HostTest, IdleStopsItAndTheNextCallStartsIt) {
  entry_.idle_stop = 50ms;
  Load();
  const std::string first = Content("pid");
  ASSERT_TRUE(Until([&] { return Info().state == PluginState::kStopped; }));
  EXPECT_TRUE(Until([&] { return !Exists(std::stol(first)); }));
  EXPECT_NE(Content("pid"), first);
  EXPECT_EQ(Info().restarts, 0U);
  EXPECT_EQ(Info().failures, 0U);
}

TEST_F(HostTest, ABusyPluginIsNotIdle) {
  entry_.idle_stop = 20ms;
  Load();
  EXPECT_EQ(Content("sleep_ms", {{"ms", 150}}), "slept");
}

TEST_F(HostTest, StopEndsCallsAndProcesses) {
  Load();
  const std::string pid = Content("pid");
  loop_.Post([this] {
    loop_.CallAt(std::chrono::steady_clock::now() + 20ms, [this] { loop_.Spawn(host_->Stop()); });
  });
  const Output output = Call("hang");
  EXPECT_EQ(output.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(Until([&] { return !Exists(std::stol(pid)); }));
  EXPECT_EQ(catalogue_.size(), 0U);
}

TEST_F(HostTest, StopEndsAStartUnderWay) {
  LoadWith({"--silent"});
  loop_.Post([this] {
    loop_.CallAt(std::chrono::steady_clock::now() + 20ms, [this] { loop_.Spawn(host_->Stop()); });
  });
  const auto begin = std::chrono::steady_clock::now();
  ExpectText(Call("echo").status(), "the plugin host has stopped");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  ASSERT_FALSE(catalogue_.Find("t__echo"));
}

TEST_F(HostTest, StopEndsALoadUnderWay) {
  std::filesystem::create_symlink(TALON_TEST_PLUGIN, folder_ / "alone");
  entry_.plugin = folder_ / "alone";
  entry_.args = {"--silent"};
  host_ = MakeHost(loop_, clock_, catalogue_, paths_, options_);
  loop_.Post([this] {
    loop_.CallAt(std::chrono::steady_clock::now() + 20ms, [this] { loop_.Spawn(host_->Stop()); });
  });
  EXPECT_EQ(loop_.RunUntilDone(host_->Load({{"t", entry_}})).code(), absl::StatusCode::kCancelled);
}

TEST_F(HostTest, OneThatMustBeRunToBeKnownDoesNotKeepTheOthers) {
  PluginEntry slow = entry_;
  std::filesystem::create_symlink(TALON_TEST_PLUGIN, folder_ / "alone");
  slow.plugin = folder_ / "alone";
  slow.args = {"--silent"};
  slow.start_timeout = 20s;
  host_ = MakeHost(loop_, clock_, catalogue_, paths_, options_);
  absl::Status loaded;
  io::Nursery loads(loop_);
  loads.Spawn([](HostTest* test, PluginEntry one, absl::Status* to) -> io::Task<void> {
    *to = co_await test->host_->Load({{"t", test->entry_}, {"slow", std::move(one)}});
  }(this, slow, &loaded));
  EXPECT_TRUE(Until([this] { return catalogue_.Find("t__echo") != nullptr; }));
  EXPECT_EQ(Content("echo", {{"text", "x"}}), "x");
  const std::vector<PluginInfo> list = host_->List();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].name, "slow");
  EXPECT_EQ(list[0].state, PluginState::kStarting);
  ExpectText(loop_.RunUntilDone(host_->Restart("slow")), "being asked what it offers");
  Run(host_->Stop());
  Run(loads.Join());
  EXPECT_EQ(loaded.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(host_->List().empty());
}

TEST_F(HostTest, AStubbornPluginIsKilled) {
  options_.stop_grace = 40ms;
  LoadWith({"--stubborn"});
  const std::string pid = Content("pid");
  Run(host_->Stop());
  EXPECT_FALSE(Exists(std::stol(pid)));
}

TEST_F(HostTest, FailedStartsSayWhatIsKnown) {
  options_.max_restarts = 100;
  options_.backoff_base = 1ms;
  entry_.start_timeout = 300ms;
  struct Case {
    std::vector<std::string> args;
    std::string first_line, detail;
  };
  const std::vector<Case> cases = {
      {{"--exit", "7"}, "ended without one", "ended: exit code 7\n  stderr: exiting as told"},
      {{"--silent"}, "printed none in time", "killed by the daemon"},
      {{"--print", "Hello!"}, "'Hello!' is no handshake", "program for"},
      {{"--print", "1|1|tcp|127.0.0.1:1|grpc"}, "mtls", ""},
      {{"--print", "1|unix|/x"}, "'/x'", ""},
      {{"--print", "1|1|unix|/nonexistent/s|grpc"}, "/nonexistent/s", ""},
      {{"--print", std::string(20'000, 'x')}, "exceeds 8192 bytes", ""},
      {{"--not-grpc"}, "HTTP/2", ""},
      {{"--extra-tool"}, "its manifest has changed (new tool 'extra')", ""},
  };
  for (const Case& each : cases) {
    LoadWith(each.args);
    const Output output = Call("echo");
    EXPECT_EQ(output.status().code(), absl::StatusCode::kUnavailable) << each.args[0];
    ExpectText(output.status(), each.first_line);
    EXPECT_EQ(Message(output.status()).find('\n'), std::string_view::npos);
    EXPECT_NE(Info().last_error.find(each.detail), std::string::npos) << Info().last_error;
    Run(host_->Stop());
  }
}

TEST_F(HostTest, ASocketOfAnotherProcessIsRefused) {
  // The test plugin points at a socket that this process listens on.
  LoadWith({"--print", "1|1|unix|" + folder_ / "mine" + "|grpc"});
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (folder_ / "mine").c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  listen(listener, 1);
  ExpectText(Call("echo").status(), "listens there, not the plugin");
  close(listener);
}

TEST_F(HostTest, StartTimeoutDoesNotOutliveTheCall) {
  LoadWith({"--silent"});
  const Output output = Call("echo", Json::object(), 30ms);
  EXPECT_EQ(Info().state, PluginState::kStarting);
  // Not as a call that was cut short: this one was never made.
  EXPECT_EQ(output.status().code(), absl::StatusCode::kUnavailable);
  ExpectText(output.status(), "did not start before the call's deadline; nothing was executed");
}

TEST_F(HostTest, ACallCancelledDuringTheStartWasNotExecuted) {
  LoadWith({"--silent"});
  CancelSource source;
  loop_.Post([&] { loop_.Post([&] { source.Cancel(Cancelled("enough")); }); });
  const Output output = loop_.RunUntilDone(Start("echo", Json::object(), 20s, source.token()));
  EXPECT_EQ(output.status().code(), absl::StatusCode::kUnavailable);
  ExpectText(output.status(), "enough; nothing was executed");
}

TEST_F(HostTest, ManifestsAreAskedOnceAndCached) {
  // Without a manifest.json beside it.
  std::filesystem::create_symlink(TALON_TEST_PLUGIN, folder_ / "alone");
  entry_.plugin = folder_ / "alone";
  Load();
  EXPECT_NE(catalogue_.Find("t__echo"), nullptr) << Info().last_error;
  EXPECT_EQ(Info().state, PluginState::kStopped);
  const auto cached = [&] {
    return std::distance(std::filesystem::directory_iterator(paths_.cache), {});
  };
  EXPECT_EQ(cached(), 1);
  Run(host_->Stop());
  Load();
  EXPECT_NE(catalogue_.Find("t__echo"), nullptr);
  EXPECT_EQ(Content("echo", {{"text", "x"}}), "x");
  EXPECT_EQ(cached(), 1);
  // Another program, or the same called otherwise, is asked again.
  Run(host_->Stop());
  LoadWith({"--extra-tool"});
  EXPECT_NE(catalogue_.Find("t__extra"), nullptr);
  EXPECT_EQ(cached(), 2);
}

TEST_F(HostTest, BundledPluginsAreFoundByName) {
  std::filesystem::create_directories(folder_ / "bundled/test");
  std::filesystem::create_symlink(TALON_TEST_PLUGIN, folder_ / "bundled/test/test");
  std::filesystem::copy(std::filesystem::path(TALON_TEST_PLUGIN).parent_path() / "manifest.json",
                        folder_ / "bundled/test/manifest.json");
  entry_.plugin.clear();
  Load({{"test", entry_}});
  EXPECT_NE(catalogue_.Find("test__echo"), nullptr) << Info().last_error;
}

TEST_F(HostTest, OneBadPluginDoesNotStopTheOthers) {
  PluginEntry missing = entry_;
  missing.plugin = "/nonexistent/plugin";
  PluginEntry reserved = entry_;
  reserved.env.emplace("PLUGIN_UNIX_SOCKET_DIR", "/tmp");
  PluginEntry disabled = entry_;
  disabled.enabled = false;
  class CoreTool : public tool::Tool {
   public:
    const tool::ToolSpec& spec() const override { return spec_; }
    io::Task<Output> Execute(tool::Invocation, CallContext) override {
      co_return tool::ToolOutput();
    }
    tool::ToolSpec spec_;
  };
  const auto core = std::make_shared<CoreTool>();
  core->spec_.name = "talon__core";
  core->spec_.plugin = "talon";
  ASSERT_TRUE(catalogue_.Add(core).ok());
  Load({{"t", entry_},
        {"missing", missing},
        {"talon", entry_},
        {"b d", entry_},
        {"env", reserved},
        {"off", disabled}});
  std::map<std::string, PluginInfo> all;
  for (const PluginInfo& info : host_->List()) all[info.name] = info;
  EXPECT_EQ(all["t"].state, PluginState::kStopped);
  EXPECT_EQ(all["off"].state, PluginState::kDisabled);
  for (const std::string name : {"missing", "talon", "b d", "env"}) {
    EXPECT_EQ(all[name].state, PluginState::kFailed) << name;
    EXPECT_FALSE(all[name].last_error.empty()) << name;
  }
  EXPECT_EQ(Content("echo", {{"text", "fine"}}), "fine");
  Run(host_->Stop());
  EXPECT_NE(catalogue_.Find("talon__core"), nullptr);
}

TEST_F(HostTest, LeftoversOfAKilledDaemonAreEnded) {
  LaunchSpec spec{.name = "t",
                  .program = TALON_TEST_PLUGIN,
                  .args = {"--orphan"},
                  .env = {},
                  .run_directory = paths_.run,
                  .data_directory = folder_ / "data/t"};
  const auto folder = MakeDirectoriesFor(spec);
  ASSERT_TRUE(folder.ok());
  auto process = io::Spawn(loop_, MakeSpawnOptions(spec, *folder));
  ASSERT_TRUE(process.ok());
  RecordOwner(*folder, (*process)->pid());
  Load();
  const auto exit = loop_.RunUntilDone((*process)->Wait({}));
  EXPECT_EQ(exit->signal, SIGKILL);
  EXPECT_FALSE(std::filesystem::exists(*folder));
}

TEST_F(HostTest, HowACallIsUndoneComesWithItsResult) {
  Load();
  EXPECT_EQ(catalogue_.Find("t__mark")->tool->spec().compensation, "t__unmark");
  EXPECT_EQ(Call("mark", {{"name", "x"}})->compensation, R"({"name":"x"})");
  EXPECT_EQ(Call("unmark")->compensation, "");
}

TEST_F(HostTest, LedgersCountEffects) {
  Load();
  const Json arguments = {{"file", folder_ / "ledger"}, {"line", "one"}};
  EXPECT_EQ(Content("ledger_append", arguments), "appended");
  EXPECT_EQ(Content("ledger_append", arguments), "already appended");
  EXPECT_EQ(Content("ledger_append_blind", arguments), "appended");
  EXPECT_EQ(*ReadFile(folder_ / "ledger"), "one\none\n");
}

}  // namespace
}  // namespace talon::plugin
