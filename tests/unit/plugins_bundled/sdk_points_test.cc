// SPDX-License-Identifier: Apache-2.0
// A plugin that is everything at once: what its manifest says, and what is refused before it
// serves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "talon/sdk/auth.h"
#include "talon/sdk/hook.h"
#include "talon/sdk/http.h"
#include "talon/sdk/notify.h"
#include "talon/sdk/plugin.h"
#include "talon/sdk/schedule.h"
#include "talon/sdk/storage.h"
#include "talon/sdk/testing.h"

namespace talon::sdk {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class Everything : public Plugin,
                   public AuthProvider,
                   public Storage,
                   public NotificationChannel,
                   public ScheduledTasks,
                   public Hook,
                   public HttpEndpoint {
 public:
  Everything()
      : Plugin({.name = "all", .version = "1", .description = "All.", .config = {}}),
        Storage({.max_value_bytes = 9, .compare_and_set = true, .ttl = false}),
        NotificationChannel({.max_text_bytes = 100, .recipients = true}),
        Hook({.joinpoints = {std::string(kInputReceived)}, .priority = 4, .fail_open = true}) {
    AddTask({.name = "tick", .description = "Ticks.", .every = 1h, .run = [](auto&, auto&) {
               return TaskReport{.summary = "ticked"};
             }});
    AddRoute({.method = "GET", .path = "/s", .is_public = true, .handler = [](auto&, auto&) {
                return HttpResponse::Text("up");
              }});
  }
  absl::StatusOr<Identity> Authenticate(const Credential& credential, const CallInfo&) override {
    return Identity{.user = credential.secret};
  }
  absl::StatusOr<StoredValue> Get(const std::string&, const std::string&,
                                  const CallInfo&) override {
    return absl::NotFoundError("none");
  }
  absl::StatusOr<std::string> Put(const std::string&, const std::string&, const std::string&,
                                  const PutOptions&, const CallInfo&) override {
    return "1";
  }
  absl::StatusOr<bool> Delete(const std::string&, const std::string&, const CallInfo&) override {
    return false;
  }
  absl::StatusOr<KeyList> List(const std::string&, const std::string&, const std::string&,
                               std::size_t, const CallInfo&) override {
    return KeyList();
  }
  absl::StatusOr<std::string> Notify(const Notification& note, const CallInfo&) override {
    return note.id;
  }
  absl::StatusOr<Advice> Advise(const Moment&, const CallInfo&) override { return Advice::Allow(); }
  using HttpEndpoint::AddRoute;
  using ScheduledTasks::AddTask;
};

TEST(SdkPointsTest, TheManifestTellsWhatAPluginAlsoIs) {
  PluginHarness harness(std::make_unique<Everything>());
  const auto json = nlohmann::json::parse(harness.ManifestJson());
  EXPECT_EQ(json["auth"]["schemes"][0], "bearer");
  EXPECT_EQ(json["storage"]["max_value_bytes"], "9");
  EXPECT_EQ(json["storage"]["compare_and_set"], true);
  EXPECT_EQ(json["notify"]["recipients"], true);
  EXPECT_EQ(json["tasks"][0]["name"], "tick");
  EXPECT_EQ(json["tasks"][0]["every_ms"], "3600000");
  EXPECT_EQ(json["hook"]["joinpoints"][0], "input.received");
  EXPECT_EQ(json["hook"]["fail_open"], true);
  EXPECT_EQ(json["http"]["routes"][0]["public"], true);
  ASSERT_TRUE(harness.Configure("{}").ok());
  EXPECT_EQ(harness.As<AuthProvider>()->Authenticate({.secret = "ada"}, TestInfo())->user, "ada");
  EXPECT_EQ(harness.As<ScheduledTasks>()->tasks()[0].run({}, TestInfo())->summary, "ticked");
}

TEST(SdkPointsTest, APluginWithoutThemSaysNothingOfThem) {
  class Bare : public Plugin {
   public:
    Bare() : Plugin({.name = "bare", .version = "1", .description = "Bare.", .config = {}}) {}
  };
  PluginHarness harness(std::make_unique<Bare>());
  const auto json = nlohmann::json::parse(harness.ManifestJson());
  for (const char* point : {"auth", "storage", "notify", "tasks", "hook", "http"}) {
    EXPECT_FALSE(json.contains(point)) << point;
  }
  EXPECT_EQ(harness.As<Hook>(), nullptr);
}

TEST(SdkPointsTest, WhatCannotBeServedIsRefused) {
  const auto refused = [](auto change) {
    auto plugin = std::make_unique<Everything>();
    change(*plugin);
    return std::string(PluginHarness(std::move(plugin)).Configure("{}").message());
  };
  const auto run = [](auto&, auto&) { return TaskReport(); };
  EXPECT_EQ(
      refused([&](Everything& all) { all.AddTask({.name = "a b", .every = 1h, .run = run}); }),
      "task 'a b': name must match ^[a-zA-Z0-9_-]{1,48}$");
  EXPECT_EQ(refused([&](Everything& all) { all.AddTask({.name = "a", .every = 1ms, .run = run}); }),
            "task 'a': every is below 1 s");
  EXPECT_EQ(refused([](Everything& all) { all.AddTask({.name = "a", .every = 1h}); }),
            "task 'a': nothing to run");
  EXPECT_THAT(refused([](Everything& all) { all.AddRoute({.method = "GET", .path = "x"}); }),
              HasSubstr("route 'GET x'"));
}

TEST(SdkPointsTest, HtmlIsEscaped) {
  EXPECT_EQ(EscapeHtml("<a href=\"x\">'&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
}

}  // namespace
}  // namespace talon::sdk
