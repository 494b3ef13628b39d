// SPDX-License-Identifier: Apache-2.0
// The plugin's side of a server's life against servers nobody here wrote: npm's official
// `everything` (as a process and over HTTP) and `filesystem`.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <vector>

#include "mcp/child.h"
#include "mcp/server.h"
#include "talon/sdk/call.h"

namespace talon::plugins::mcp {
namespace {

using std::chrono::seconds;

std::string Package(const std::string& name) {
  return std::string(TALON_MCP_MODULES) + "/@modelcontextprotocol/" + name + "/dist/index.js";
}

// Records what it hears and answers what it is told to.
class Person : public Caller {
 public:
  explicit Person(Answer answer = {}) : answer_(std::move(answer)) {}

  Clock::time_point deadline() const override { return Clock::now() + seconds(30); }
  bool cancelled() const override { return flag_.is_set(); }
  int cancel_fd() const override { return const_cast<sdk::CancelFlag&>(flag_).fd(); }
  void Progress(const std::string&, double done, double total) override {
    steps.emplace_back(done, total);
    if (cancel_at_progress) flag_.Set();
  }
  Answer Ask(const Question& question) override {
    questions.push_back(question);
    return answer_;
  }

  std::vector<std::pair<double, double>> steps;
  std::vector<Question> questions;
  bool cancel_at_progress = false;

 private:
  const Answer answer_;
  sdk::CancelFlag flag_;
};

Answer Accepts(std::string content) {
  return {.action = Answer::Action::kAccept, .content_json = std::move(content)};
}

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof(address);
  bind(fd, reinterpret_cast<sockaddr*>(&address), length);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  close(fd);
  return ntohs(address.sin_port);
}

// `everything` over HTTP; started when constructed.
class HttpEverything {
 public:
  HttpEverything() {
    auto child = Child::Start({.command = TALON_NODE,
                               .args = {Package("server-everything"), "streamableHttp"},
                               .env = {"PATH=/usr/bin:/bin", fmt::format("PORT={}", port_)}});
    EXPECT_TRUE(child.ok());
    if (child.ok()) child_.emplace(*std::move(child));
    fcntl(child_->err(), F_SETFL, 0);
    std::string said;
    char c = 0;
    while (said.find("listening") == std::string::npos && read(child_->err(), &c, 1) == 1)
      said += c;
  }
  ServerConfig config() const {
    return {.name = "every", .url = fmt::format("http://127.0.0.1:{}/mcp", port_)};
  }

 private:
  const int port_ = FreePort();
  std::optional<Child> child_;
};

ServerConfig Stdio(const std::string& package, std::vector<std::string> args) {
  ServerConfig config{.name = "every", .command = TALON_NODE};
  config.args = {Package(package)};
  config.args.insert(config.args.end(), args.begin(), args.end());
  return config;
}

// A server that is running, and its tools.
class Running {
 public:
  explicit Running(ServerConfig config, ServerPlace place = {})
      : server_(std::move(config), std::move(place), [this] {
          ++changes;
          changed_.Ring();
        }) {
    server_.Start();
    EXPECT_TRUE(server_.WaitSettled(Clock::now() + seconds(30)));
    EXPECT_EQ(server_.state().condition, "connected") << server_.state().error;
  }

  bool WaitForTool(const std::string& name) {
    while (Find(name).name.empty()) {
      if (changed_.Wait(-1, Clock::now() + seconds(20)) != Bell::Woken::kRung) return false;
    }
    return true;
  }
  Offer Find(const std::string& name) const {
    for (const Offer& offer : server_.offers()) {
      if (offer.name == "every__" + name) return offer;
    }
    return {};
  }
  sdk::Result Call(const std::string& name, const Json& arguments, Caller& caller) {
    const Offer offer = Find(name);
    EXPECT_FALSE(offer.name.empty()) << name;
    return server_.Call(offer, arguments, caller);
  }
  sdk::Result Call(const std::string& name, const Json& arguments) {
    Person person;
    return Call(name, arguments, person);
  }
  Server& server() { return server_; }

  std::atomic<int> changes = 0;

 private:
  Bell changed_;
  Server server_;
};

// Every tool of `everything`; the same over both transports.
void TryEverything(Running& running) {
  EXPECT_EQ(running.Call("echo", {{"message", "hello"}}).content, "Echo: hello");
  EXPECT_EQ(running.Call("get-sum", {{"a", 2}, {"b", 3}}).content, "The sum of 2 and 3 is 5.");
  EXPECT_NE(running.Call("echo", Json::object()).error, "");

  const sdk::Result weather = running.Call("get-structured-content", {{"location", "New York"}});
  EXPECT_TRUE(ParseJson(weather.structured_json).value_or(Json()).contains("temperature"))
      << weather.content;
  EXPECT_NE(running.Call("get-tiny-image", Json::object()).content.find("[image image/png,"),
            std::string::npos);
  EXPECT_NE(running.Call("get-resource-links", {{"count", 2}}).content.find("[resource demo://"),
            std::string::npos);
  EXPECT_NE(running.Call("get-resource-reference", {{"resourceType", "Text"}, {"resourceId", 1}})
                .content.find("[demo://"),
            std::string::npos);
  EXPECT_NE(
      running.Call("get-annotated-message", {{"messageType", "error"}, {"includeImage", false}})
          .content,
      "");
  EXPECT_EQ(running.Call("toggle-subscriber-updates", Json::object()).error, "");
  EXPECT_EQ(running.Call("toggle-simulated-logging", Json::object()).error, "");
  EXPECT_EQ(running.Call("toggle-simulated-logging", Json::object()).error, "");
}

void TryProgressAndCancel(Running& running) {
  Person person;
  const Json work = {{"duration", 0.3}, {"steps", 3}};
  const sdk::Result done = running.Call("trigger-long-running-operation", work, person);
  EXPECT_NE(done.content.find("completed"), std::string::npos) << done.error;
  ASSERT_GE(person.steps.size(), 2u);
  EXPECT_EQ(person.steps.back().second, 3);

  Person impatient;
  impatient.cancel_at_progress = true;
  const auto began = Clock::now();
  const Json endless = {{"duration", 600}, {"steps", 6'000}};
  const sdk::Result gone = running.Call("trigger-long-running-operation", endless, impatient);
  EXPECT_NE(gone.error.find("cancelled"), std::string::npos);
  EXPECT_LT(Clock::now() - began, seconds(60));
}

void TryQuestions(Running& running) {
  ASSERT_TRUE(running.WaitForTool("trigger-elicitation-request"));
  Person person(Accepts(R"({"name":"Ada","integer":7})"));
  const sdk::Result form = running.Call("trigger-elicitation-request", Json::object(), person);
  ASSERT_EQ(person.questions.size(), 1u);
  EXPECT_NE(person.questions[0].text.find("every"), std::string::npos);
  EXPECT_NE(form.content.find("Ada"), std::string::npos) << form.error;
  EXPECT_NE(form.content.find("It was a dark"), std::string::npos) << "defaults are filled in";

  Person declines({.action = Answer::Action::kDecline});
  const sdk::Result no = running.Call("trigger-elicitation-request", Json::object(), declines);
  EXPECT_NE(no.content.find("declined"), std::string::npos);

  Person visitor(Accepts(""));
  const Json page = {{"url", "https://example.com/form"}};
  EXPECT_EQ(running.Call("trigger-url-elicitation", page, visitor).error, "");
  ASSERT_EQ(visitor.questions.size(), 1u);
  EXPECT_EQ(visitor.questions[0].url, "https://example.com/form");
  const Json by_error = {{"url", "https://example.com/other"}, {"errorPath", true}};
  EXPECT_EQ(running.Call("trigger-url-elicitation", by_error, visitor).error, "");
  EXPECT_EQ(visitor.questions.size(), 3u) << "the page that was missing, then the call's own";

  // Sampling is not declared, so its tools are not even there.
  EXPECT_TRUE(running.Find("trigger-sampling-request").name.empty());
}

void TryTask(Running& running) {
  ASSERT_TRUE(running.WaitForTool("simulate-research-query"));
  Person person(Accepts(R"({"interpretation":"snake"})"));
  const Json query = {{"topic", "python"}, {"ambiguous", true}};
  const sdk::Result report = running.Call("simulate-research-query", query, person);
  EXPECT_EQ(report.error, "");
  EXPECT_NE(report.content.find("snake"), std::string::npos) << report.content;
  EXPECT_EQ(person.questions.size(), 1u);
}

void TryResourcesAndPrompts(Running& running) {
  const std::string list = running.Call("resources_list", Json::object()).content;
  EXPECT_NE(list.find("template demo://resource/dynamic/text/{resourceId}"), std::string::npos)
      << list;
  const Json uri = {{"uri", "demo://resource/dynamic/text/1"}};
  EXPECT_NE(running.Call("resources_read", uri).content.find("[demo://resource/dynamic/text/1]"),
            std::string::npos);
  EXPECT_NE(running.Call("resources_read", {{"uri", "demo://nowhere"}}).error, "");
  const std::string prompts = running.Call("prompts_list", Json::object()).content;
  EXPECT_NE(prompts.find("args-prompt"), std::string::npos) << prompts;
  const Json prompt = {{"name", "args-prompt"}, {"arguments", {{"city", "Paris"}}}};
  EXPECT_NE(running.Call("prompts_get", prompt).content.find("Paris"), std::string::npos);
}

TEST(Everything, OverStdio) {
  Running running(Stdio("server-everything", {"stdio"}));
  TryEverything(running);
  TryProgressAndCancel(running);
  TryQuestions(running);
  TryTask(running);
  TryResourcesAndPrompts(running);
  EXPECT_EQ(running.server().state().protocol, "2025-11-25");
}

TEST(Everything, OverHttp) {
  HttpEverything peer;
  Running running(peer.config());
  TryEverything(running);
  TryProgressAndCancel(running);
  TryQuestions(running);
  TryTask(running);
  TryResourcesAndPrompts(running);
}

TEST(Everything, SeesNothingOfTheHostsEnvironment) {
  ServerConfig config = Stdio("server-everything", {"stdio"});
  config.env["GIVEN"] = "yes";
  setenv("TALON_TEST_SECRET", "host-secret", 1);
  Running running(config);
  const std::string seen = running.Call("get-env", Json::object()).content;
  EXPECT_NE(seen.find("GIVEN"), std::string::npos);
  EXPECT_EQ(seen.find("host-secret"), std::string::npos);
}

// `everything` registers more tools once it knows what the client can do, and says that its list
// has changed.
TEST(Everything, ToldOfRootsAndNewTools) {
  ServerConfig config = Stdio("server-everything", {"stdio"});
  config.roots = {"/tmp"};
  Running running(config);
  ASSERT_TRUE(running.WaitForTool("get-roots-list"));
  const std::string roots = running.Call("get-roots-list", Json::object()).content;
  EXPECT_NE(roots.find("file:///tmp"), std::string::npos) << roots;
}

TEST(Everything, OnlyWhatIsIncluded) {
  ServerConfig config = Stdio("server-everything", {"stdio"});
  config.include = {"echo", "get-*"};
  config.exclude = {"get-env"};
  config.resources = config.prompts = false;
  Running running(config);
  for (const Offer& offer : running.server().offers()) {
    EXPECT_TRUE(offer.name == "every__echo" || offer.name.starts_with("every__get-")) << offer.name;
    EXPECT_NE(offer.name, "every__get-env");
  }
  EXPECT_FALSE(running.Find("echo").name.empty());
}

// A server that is killed comes back, and its tools never went away.
TEST(Everything, KilledAndBack) {
  Running running(Stdio("server-everything", {"stdio"}));
  const std::string pid_file = "/proc/self/task";
  const auto kill_children = [&] {
    for (const auto& task : std::filesystem::directory_iterator(pid_file)) {
      std::ifstream children(task.path() / "children");
      for (pid_t pid = 0; children >> pid;) kill(pid, SIGKILL);
    }
  };
  kill_children();
  // The connection is seen to be gone before the next call is made.
  while (running.server().state().condition == "connected" &&
         running.server().state().restarts == 0) {
    running.Call("echo", {{"message", "?"}});
  }
  EXPECT_EQ(running.Call("echo", {{"message", "again"}}).content, "Echo: again");
  EXPECT_EQ(running.server().state().restarts, 1);
}

class Filesystem : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/talon-mcp-XXXXXX";
    folder_ = mkdtemp(name);
    std::ofstream(folder_ + "/note.txt") << "remember";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(Filesystem, ReadsAndWritesBelowItsFolder) {
  Running running(Stdio("server-filesystem", {folder_}));
  const Json note = {{"path", folder_ + "/note.txt"}};
  EXPECT_EQ(running.Call("read_text_file", note).content, "remember");
  const Json other = {{"path", folder_ + "/new.txt"}, {"content", "written"}};
  EXPECT_EQ(running.Call("write_file", other).error, "");
  std::string written;
  std::ifstream(folder_ + "/new.txt") >> written;
  EXPECT_EQ(written, "written");
  const std::string refused = running.Call("read_text_file", {{"path", "/etc/hostname"}}).error;
  EXPECT_NE(refused.find("denied"), std::string::npos) << refused;
}

// Without folders of its own it works in the roots it is given.
TEST_F(Filesystem, WorksInTheWorkspaceItIsGranted) {
  ServerConfig config = Stdio("server-filesystem", {});
  config.roots = {"workspace"};
  config.trust_hints = true;
  Running running(config, {.workspace = folder_});
  // The server asks for the roots after the handshake and works with them a little later.
  std::string allowed;
  for (int i = 0; i < 1'000 && allowed.find(folder_) == std::string::npos; ++i) {
    allowed = running.Call("list_allowed_directories", Json::object()).content;
  }
  EXPECT_NE(allowed.find(folder_), std::string::npos) << allowed;
  EXPECT_TRUE(running.Find("read_text_file").read_only);
  EXPECT_FALSE(running.Find("write_file").read_only);
}

TEST_F(Filesystem, HintsCountOnlyWhenTrusted) {
  Running running(Stdio("server-filesystem", {folder_}));
  EXPECT_FALSE(running.Find("read_text_file").read_only);
  EXPECT_EQ(running.Find("read_text_file").effect, sdk::Effect::kExec);
  EXPECT_FALSE(running.Find("read_text_file").sinks.empty());
}

}  // namespace
}  // namespace talon::plugins::mcp
