// SPDX-License-Identifier: Apache-2.0
// The example plugins without a process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "examples/auth_tokens/auth_tokens.h"
#include "examples/auth_tokens/sha256.h"
#include "examples/hook_words/hook_words.h"
#include "examples/http_status/http_status.h"
#include "examples/notify_file/notify_file.h"
#include "examples/schedule_disk_watch/schedule_disk_watch.h"
#include "examples/storage_files/storage_files.h"
#include "talon/sdk/testing.h"
#include "tests/support/temp_folder.h"

namespace talon::examples {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

class ExamplesTest : public testing::Test {
 protected:
  sdk::Folders Folders() { return {.workspace = "", .data = folder_.path()}; }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::trunc) << text;
    chmod((folder_ / name).c_str(), 0600);
  }
  std::string Read(const std::string& name) {
    std::ostringstream out;
    out << std::ifstream(folder_ / name).rdbuf();
    return out.str();
  }
  test::TempFolder folder_{test::Where::kMemory};
};

TEST_F(ExamplesTest, Sha256MatchesTheStandard) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_F(ExamplesTest, AuthTokensKnowsPeopleAndNoticesAChangedFile) {
  Write("tokens", "# people\n" + Sha256Hex("t-ada") + " ada acme chat admin\n\n" +
                      Sha256Hex("t-bob") + " bob\n");
  sdk::PluginHarness harness(std::make_unique<AuthTokens>());
  ASSERT_TRUE(harness.Configure(R"({"ttl_s":7})", Folders()).ok());
  auto* auth = harness.As<sdk::AuthProvider>();
  const auto ada = auth->Authenticate({.scheme = "bearer", .secret = "t-ada"}, sdk::TestInfo());
  ASSERT_TRUE(ada.ok()) << ada.status();
  EXPECT_EQ(ada->user, "ada");
  EXPECT_EQ(ada->tenant, "acme");
  EXPECT_THAT(ada->scopes, ElementsAre("chat", "admin"));
  EXPECT_EQ(ada->ttl, std::chrono::seconds(7));
  EXPECT_EQ(auth->Authenticate({.secret = "t-bob"}, sdk::TestInfo())->tenant, "");
  EXPECT_EQ(auth->Authenticate({.secret = Sha256Hex("t-ada")}, sdk::TestInfo()).status().code(),
            absl::StatusCode::kUnauthenticated);
  Write("tokens", Sha256Hex("t-eve") + " eve\n");
  EXPECT_EQ(auth->Authenticate({.secret = "t-eve"}, sdk::TestInfo())->user, "eve");
  EXPECT_FALSE(auth->Authenticate({.secret = "t-ada"}, sdk::TestInfo()).ok());
  // What cannot be read is no refusal: nothing was decided.
  std::filesystem::remove(folder_ / "tokens");
  EXPECT_EQ(auth->Authenticate({.secret = "t-eve"}, sdk::TestInfo()).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(ExamplesTest, AuthTokensRefusesABadFile) {
  Write("tokens", "secret ada\n");
  EXPECT_THAT(
      std::string(
          sdk::PluginHarness(std::make_unique<AuthTokens>()).Configure("{}", Folders()).message()),
      HasSubstr("line 1: expected '<sha256> <user>"));
  chmod((folder_ / "tokens").c_str(), 0666);
  EXPECT_THAT(
      std::string(
          sdk::PluginHarness(std::make_unique<AuthTokens>()).Configure("{}", Folders()).message()),
      HasSubstr("others may write it"));
}

TEST_F(ExamplesTest, StorageFilesKeepsValuesApartAndWhole) {
  sdk::PluginHarness harness(std::make_unique<StorageFiles>());
  ASSERT_TRUE(harness.Configure("{}", Folders()).ok());
  auto& store = *harness.As<sdk::Storage>();
  const auto call = sdk::TestInfo();
  const std::string bytes("a\0\xff", 3);
  EXPECT_EQ(store.Get("s", "k", call).status().code(), absl::StatusCode::kNotFound);
  const auto version = store.Put("s", "k", bytes, {.if_version = "none"}, call);
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(store.Get("s", "k", call)->value, bytes);
  EXPECT_EQ(store.Get("s", "k", call)->version, *version);
  EXPECT_EQ(store.Get("t", "k", call).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store.Put("s", "k", "x", {.if_version = "none"}, call).status().code(),
            absl::StatusCode::kAborted);
  EXPECT_EQ(store.Put("s", "k", "x", {.if_version = "1-1"}, call).status().code(),
            absl::StatusCode::kAborted);
  EXPECT_TRUE(store.Put("s", "k", "", {.if_version = *version}, call).ok());
  EXPECT_EQ(store.Get("s", "k", call)->value, "");
  // Names that could lead elsewhere.
  for (const char* key : {"../escape", "a/b", ".", "..", "~half", "%2e", "\xc3\xa9"}) {
    ASSERT_TRUE(store.Put("../s", key, key, {}, call).ok()) << key;
    EXPECT_EQ(store.Get("../s", key, call)->value, key);
  }
  EXPECT_THAT(store.List("../s", "", "", 100, call)->keys,
              ElementsAre("%2e", ".", "..", "../escape", "a/b", "~half", "\xc3\xa9"));
  const auto page = store.List("../s", ".", ".", 1, call);
  EXPECT_THAT(page->keys, ElementsAre(".."));
  EXPECT_TRUE(page->more);
  EXPECT_EQ(store.List("none", "", "", 9, call)->keys.size(), 0U);
  EXPECT_EQ(*store.Delete("s", "k", call), true);
  EXPECT_EQ(*store.Delete("s", "k", call), false);
  EXPECT_EQ(store.Put("s", std::string(256, 'k'), "x", {}, call).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "escape"));
}

TEST_F(ExamplesTest, NotifyFileDeliversAnIdOnce) {
  const std::string config =
      json{{"command", {"sh", "-c", "echo \"$0\" >> " + folder_ / "shown", "{text}"}}}.dump();
  for (int start = 0; start < 2; ++start) {
    sdk::PluginHarness harness(std::make_unique<NotifyFile>());
    ASSERT_TRUE(harness.Configure(config, Folders()).ok());
    for (int i = 0; i < 2; ++i) {
      const auto sent = harness.As<sdk::NotificationChannel>()->Notify(
          {.id = "n1", .title = "T", .text = "$(touch x); {title}", .recipient = "ada"},
          sdk::TestInfo());
      ASSERT_TRUE(sent.ok()) << sent.status();
    }
  }
  EXPECT_EQ(Read("shown"), "$(touch x); {title}\n");
  const json line = json::parse(Read("notifications.jsonl"));
  EXPECT_EQ(line["id"], "n1");
  EXPECT_EQ(line["to"], "ada");
}

TEST_F(ExamplesTest, NotifyFileIsTriedAgainWhenTheCommandFails) {
  sdk::PluginHarness harness(std::make_unique<NotifyFile>());
  ASSERT_TRUE(harness.Configure(R"({"command":["false"]})", Folders()).ok());
  const auto sent =
      harness.As<sdk::NotificationChannel>()->Notify({.id = "n", .text = "x"}, sdk::TestInfo());
  EXPECT_EQ(sent.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Read("notifications.jsonl"), "");
}

TEST_F(ExamplesTest, DiskWatchWarnsOnceADay) {
  sdk::PluginHarness harness(std::make_unique<ScheduleDiskWatch>());
  const std::string config = R"({"paths":["/"],"full_percent":1})";
  ASSERT_TRUE(harness.Configure(config, Folders()).ok());
  const sdk::Task& task = harness.As<sdk::ScheduledTasks>()->tasks().at(0);
  const auto at = [&](std::chrono::hours hour) {
    const auto report =
        task.run({.due_at = std::chrono::system_clock::time_point(hour)}, sdk::TestInfo());
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : sdk::TaskReport();
  };
  const sdk::TaskReport first = at(std::chrono::hours(1000));
  if (first.notify_text.empty()) GTEST_SKIP() << "the disk of / is less than 1% full";
  EXPECT_THAT(first.notify_text, HasSubstr("% full"));
  EXPECT_EQ(first.next_after, std::chrono::minutes(10));
  EXPECT_EQ(at(std::chrono::hours(1001)).notify_text, "");
  EXPECT_NE(at(std::chrono::hours(1025)).notify_text, "");
}

TEST_F(ExamplesTest, DiskWatchIsSilentWhileThereIsRoom) {
  sdk::PluginHarness harness(std::make_unique<ScheduleDiskWatch>());
  ASSERT_TRUE(
      harness.Configure(json{{"paths", {folder_.path()}}, {"full_percent", 100}}.dump(), Folders())
          .ok());
  const auto report = harness.As<sdk::ScheduledTasks>()->tasks().at(0).run({}, sdk::TestInfo());
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->notify_text, "");
  EXPECT_EQ(report->next_after.count(), 0);
  EXPECT_THAT(report->summary, HasSubstr("% used"));
}

TEST_F(ExamplesTest, HookWordsMasksAndRefusesWholeWords) {
  sdk::PluginHarness harness(std::make_unique<HookWords>());
  EXPECT_FALSE(harness.Configure("{}", Folders()).ok());
  ASSERT_TRUE(harness.Configure(R"({"mask":["Acme","a.b"],"refuse":["secret"]})", Folders()).ok());
  const auto advise = [&](const std::string& text) {
    return *harness.As<sdk::Hook>()->Advise({.joinpoint = "input.received", .value = text},
                                            sdk::TestInfo());
  };
  using Verdict = sdk::Advice::Verdict;
  EXPECT_EQ(advise("acmeism is fine").verdict, Verdict::kAllow);
  EXPECT_EQ(advise("ACME and acme, a.b!").value, "**** and ****, ***!");
  EXPECT_EQ(advise("a Secret thing").verdict, Verdict::kBlock);
  EXPECT_EQ(advise("secrets").verdict, Verdict::kAllow);
}

TEST_F(ExamplesTest, HttpStatusEscapesItsTitle) {
  sdk::PluginHarness harness(std::make_unique<HttpStatus>());
  ASSERT_TRUE(harness.Configure(R"({"title":"<b>"})", Folders()).ok());
  const auto& routes = harness.As<sdk::HttpEndpoint>()->routes();
  const auto page = routes.at(0).handler({.path = "/"}, sdk::TestInfo());
  EXPECT_THAT(page->body, HasSubstr("<h1>&lt;b&gt;</h1>"));
  EXPECT_FALSE(routes.at(0).handler({.path = "/x"}, sdk::TestInfo()).ok());
  EXPECT_GT(json::parse(routes.at(1).handler({}, sdk::TestInfo())->body)["memory_bytes"], 0);
}

}  // namespace
}  // namespace talon::examples
