// SPDX-License-Identifier: Apache-2.0
// The daemon's adapters of the extension points with the examples as real processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/json.h"
#include "base/status.h"
#include "io/loop.h"
#include "plugin/extension/extensions.h"
#include "plugin/extension/hook.h"
#include "plugin/host.h"
#include "talon/v1/schedule.pb.h"
#include "tests/support/temp_folder.h"
#include "tool/catalogue.h"

namespace talon::plugin {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class ExtensionTest : public testing::Test {
 protected:
  ~ExtensionTest() override {
    if (host_ == nullptr) return;
    loop_.RunUntilDone([](Host* host) -> io::Task<int> {
      co_await host->Stop();
      co_return 0;
    }(host_.get()));
  }
  // Entries named as the examples, and one under another name.
  void Load(std::map<std::string, PluginEntry> plugins, ExtensionOptions options = {}) {
    host_ = MakeHost(loop_, clock_, catalogue_,
                     {.bundled = folder_ / "bundled",
                      .examples = TALON_EXAMPLES_FOLDER,
                      .run = folder_ / "r",
                      .data = folder_ / "data",
                      .cache = folder_ / "cache",
                      .workspace = folder_ / "workspace"},
                     {});
    EXPECT_TRUE(loop_.RunUntilDone(host_->Load(std::move(plugins))).ok());
    extensions_.emplace(loop_, *host_, clock_, ids_, std::move(options));
  }
  template <class T>
  T Run(io::Task<T> task) {
    return loop_.RunUntilDone(std::move(task));
  }
  CallContext Of(const std::string& user) {
    CallContext context;
    context.principal.user = user;
    context.deadline = std::chrono::steady_clock::now() + 20s;
    return context;
  }

  io::Loop loop_;
  SystemClock clock_;
  RandomIdSource ids_;
  test::TempFolder folder_{test::Where::kMemory};
  tool::Catalogue catalogue_;
  std::unique_ptr<Host> host_;
  std::optional<Extensions> extensions_;
};

TEST_F(ExtensionTest, AuthTokens) {
  std::ofstream(folder_ / "tokens") << Sha256Hex("t-ada") << " ada acme admin\n";
  chmod((folder_ / "tokens").c_str(), 0600);
  PluginEntry entry;
  entry.plugin = "auth_tokens";  // an example under a name of one's own
  entry.config.text = R"({"file":")" + folder_ / "tokens" + "\"}";
  Load({{"people", entry}}, {.auth_plugin = "people"});
  const auto ada = Run(extensions_->auth.Authenticate({.token = "t-ada"}, Of("")));
  ASSERT_TRUE(ada.ok()) << ada.status();
  EXPECT_EQ(ada->user, "ada");
  EXPECT_EQ(ada->tenant, "acme");
  EXPECT_EQ(ada->scope, Scope::kAdmin);
  EXPECT_EQ(Run(extensions_->auth.Authenticate({.token = "t-eve"}, Of(""))).status().code(),
            absl::StatusCode::kUnauthenticated);
  std::filesystem::remove(folder_ / "tokens");
  EXPECT_EQ(Run(extensions_->auth.Authenticate({.token = "t-eve"}, Of(""))).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_TRUE(Run(extensions_->auth.Authenticate({.token = "t-ada"}, Of(""))).ok()) << "remembered";
}

TEST_F(ExtensionTest, StorageFiles) {
  Load({{"storage_files", {}}}, {.storage = {.plugin = "storage_files"}});
  KeyValues& values = extensions_->values;
  const auto version = Run(values.Put("note/1", std::string("a\0b", 3), {}, Of("ada")));
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(Run(values.Get("note/1", Of("ada")))->value, std::string("a\0b", 3));
  EXPECT_EQ(Run(values.Get("note/1", Of("bob"))).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Run(values.Get("note/1", Of("ada/main"))).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Run(values.Put("note/1", "x", {.if_version = "none"}, Of("ada"))).status().code(),
            absl::StatusCode::kAborted);
  EXPECT_EQ(Run(values.Put("k", "x", {.ttl = 1s}, Of("ada"))).status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Run(values.Put("k", std::string(2 << 20, 'x'), {}, Of("ada"))).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Run(values.Put("note/2", "b", {}, Of("ada"))).ok());
  EXPECT_THAT(Run(values.List("note/", "note/1", 10, Of("ada")))->keys, ElementsAre("note/2"));
  EXPECT_EQ(*Run(values.Delete("note/1", Of("ada"))), true);
}

TEST_F(ExtensionTest, AModelKeepsValuesThroughTools) {
  Load({{"storage_files", {}}}, {.storage = {.plugin = "storage_files"}});
  ASSERT_TRUE(AddStorageTools(catalogue_, extensions_->values).ok());
  const auto call = [&](const std::string& name, const Json& arguments) {
    tool::Invocation invocation;
    invocation.call_id = "c";
    invocation.arguments = arguments.dump();
    const auto output = Run(catalogue_.Find(name)->tool->Execute(std::move(invocation), Of("ada")));
    EXPECT_TRUE(output.ok()) << output.status();
    return !output.ok() ? "" : output->error.empty() ? output->content : "error: " + output->error;
  };
  EXPECT_EQ(call("talon__kv_list", Json::object()), "no keys");
  EXPECT_EQ(call("talon__kv_put", {{"key", "color"}, {"value", "green"}}), "kept");
  EXPECT_EQ(call("talon__kv_get", {{"key", "color"}}), "green");
  EXPECT_EQ(call("talon__kv_list", {{"prefix", "c"}}), "color");
  EXPECT_EQ(call("talon__kv_delete", {{"key", "color"}}), "deleted");
  EXPECT_THAT(call("talon__kv_get", {{"key", "color"}}),
              HasSubstr("error: plugin 'storage_files'"));
}

TEST_F(ExtensionTest, NotifyFile) {
  Load({{"notify_file", {}}}, {.notifications = {.plugin = "notify_file"}});
  const auto sent = Run(extensions_->notifier.Notify(
      {.title = "Disk", .text = "It is full.", .level = NoteLevel::kUrgent}, Of("ada")));
  ASSERT_TRUE(sent.ok()) << sent.status();
  std::ifstream file(folder_ / "data/notify_file/notifications.jsonl");
  const Json line = Json::parse(file);
  EXPECT_EQ(line["id"], sent->id);
  EXPECT_EQ(line["text"], "It is full.");
  EXPECT_EQ(line["level"], "urgent");
}

TEST_F(ExtensionTest, HttpStatus) {
  PluginEntry open;
  open.expose = true;
  open.plugin = "http_status";
  Load({{"http_status", {}}, {"open", open}});
  std::string allowed;
  const auto* ping = extensions_->http.Find({"http_status", "/ping"}, "GET", &allowed);
  ASSERT_NE(ping, nullptr);
  EXPECT_FALSE(ping->is_public) << "its entry does not expose it";
  EXPECT_TRUE(extensions_->http.Find({"open", "/ping"}, "GET", &allowed)->is_public);
  EXPECT_FALSE(extensions_->http.Find({"open", "/"}, "GET", &allowed)->is_public);
  EXPECT_EQ(extensions_->http.Find({"open", "/ping"}, "POST", &allowed), nullptr);
  EXPECT_THAT(allowed, HasSubstr("GET"));
  io::ServerRequest request;
  request.method = "GET";
  auto page = Run(extensions_->http.Handle({"http_status", "/"}, request, Of("ada")));
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->status, 200);
  EXPECT_THAT(page->body, HasSubstr("<h1>Status</h1>"));
  EXPECT_EQ(
      Run(extensions_->http.Handle({"http_status", "/none"}, request, Of("ada"))).status().code(),
      absl::StatusCode::kNotFound);
}

TEST_F(ExtensionTest, HookWords) {
  PluginEntry entry;
  entry.config.text = R"({"mask":["acme"],"refuse":["secret"]})";
  Load({{"hook_words", entry}, {"http_status", {}}});
  hook::Hooks hooks;
  EXPECT_FALSE(hooks.Any(hook::Joinpoint::kInputReceived));
  hooks.Add(std::make_unique<PluginAdviser>(*host_, clock_, "hook_words", 10s));
  EXPECT_TRUE(hooks.Any(hook::Joinpoint::kToolBeforeCall));
  const auto ask = [&](hook::Hooks& all, const std::string& value) {
    return Run(all.Ask({.at = hook::Joinpoint::kInputReceived, .value = value}, Of("ada")));
  };
  EXPECT_EQ(ask(hooks, "hello").decision.verdict, hook::Verdict::kAllow);
  const hook::Advice masked = ask(hooks, "Acme it is");
  EXPECT_EQ(masked.decision.value, "**** it is");
  EXPECT_THAT(masked.remarks.at(0).decision.notes, ElementsAre("1 words masked"));
  EXPECT_THAT(ask(hooks, "a secret").decision.reason, HasSubstr("hook 'hook_words': the text"));
  // What was named to be asked and cannot be refuses everything.
  for (const char* other : {"missing", "http_status"}) {
    hook::Hooks closed;
    closed.Add(std::make_unique<PluginAdviser>(*host_, clock_, other, 10s));
    EXPECT_TRUE(closed.Any(hook::Joinpoint::kResponseBeforeFinal));
    EXPECT_TRUE(ask(closed, "hello").blocks()) << other;
  }
}

TEST_F(ExtensionTest, ScheduleDiskWatch) {
  PluginEntry entry;
  entry.tasks["look"].every = 30min;
  PluginEntry wrong;
  wrong.plugin = "schedule_disk_watch";
  wrong.tasks["lok"].enabled = false;
  Load({{"schedule_disk_watch", entry}, {"wrong", wrong}});
  const Manifest* manifest = host_->ManifestOf("schedule_disk_watch");
  ASSERT_NE(manifest, nullptr);
  ASSERT_EQ(manifest->tasks.size(), 1U);
  EXPECT_EQ(manifest->tasks[0].every, 30min);
  EXPECT_TRUE(manifest->tasks[0].at_start);
  EXPECT_EQ(host_->ManifestOf("wrong"), nullptr);
  v1::RunTaskRequest request;
  request.set_task("look");
  request.set_run_id("run_1");
  const auto answer = Run(host_->Call("schedule_disk_watch", "/talon.v1.ScheduledTask/RunTask",
                                      request.SerializeAsString(), Of("owner"), Repeat::kOnce));
  ASSERT_TRUE(answer.ok()) << answer.status();
  v1::RunTaskResponse response;
  ASSERT_TRUE(response.ParseFromString(*answer));
  EXPECT_THAT(response.summary(), HasSubstr("% used"));
}

}  // namespace
}  // namespace talon::plugin
