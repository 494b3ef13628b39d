// SPDX-License-Identifier: Apache-2.0
// Sessions and clients against a fake other end: answers, questions, revisions, pages, rounds.
#include "mcp/client.h"

#include <gtest/gtest.h>

#include <future>

#include "talon/sdk/call.h"
#include "tests/unit/plugin_mcp/fake_wire.h"

namespace talon::plugins::mcp {
namespace {

using std::chrono::milliseconds;

class Person : public Caller {
 public:
  explicit Person(std::string name = "ada") : name_(std::move(name)) {}
  bool cancelled() const override { return flag_.is_set(); }
  int cancel_fd() const override { return const_cast<sdk::CancelFlag&>(flag_).fd(); }
  Clock::time_point deadline() const override { return deadline_; }
  void Progress(const std::string& text, double, double) override {
    steps.push_back(text);
    if (text == "stop") flag_.Set();
  }
  Answer Ask(const Question&) override {
    ++asked;
    return {.action = Answer::Action::kAccept, .content_json = R"({"ok":true})"};
  }
  std::string person() const override { return name_; }

  void Cancel() { flag_.Set(); }
  void In(milliseconds time) { deadline_ = Clock::now() + time; }
  std::vector<std::string> steps;
  int asked = 0;

 private:
  const std::string name_;
  sdk::CancelFlag flag_;
  Clock::time_point deadline_ = Clock::time_point::max();
};

const Json kForm = {
    {"message", "sure?"},
    {"requestedSchema", {{"type", "object"}, {"properties", {{"ok", {{"type", "boolean"}}}}}}}};

class SessionTest : public ::testing::Test {
 protected:
  void Open(FakeWire::Peer peer, Json roots = nullptr) {
    auto wire = std::make_unique<FakeWire>(std::move(peer));
    wire_ = wire.get();
    session_.emplace(
        std::move(wire),
        Session::Hooks{
            .server = "s", .roots = std::move(roots), .on_notification = {}, .on_closed = {}});
    ASSERT_TRUE(session_->Start().ok());
  }
  // What the client answered to the request with this id.
  Message AnswerTo(const Json& id) {
    for (const Message& message : wire_->Sent()) {
      if (message.method.empty() && message.id == id) return message;
    }
    return {};
  }

  FakeWire* wire_ = nullptr;
  std::optional<Session> session_;
};

TEST_F(SessionTest, AnswersFindTheirRequests) {
  Open([](FakeWire& wire, const Message& message) {
    wire.Result(99, "nobody's");
    wire.Result("text", "nobody's");
    wire.Result(message.id, message.params);
    wire.Result(message.id, "too late");
  });
  const Reply reply = session_->Request("echo", {{"a", 1}}, {});
  EXPECT_TRUE(reply.status.ok());
  EXPECT_EQ(reply.result, Json({{"a", 1}}));
  EXPECT_EQ(session_->Request("echo", {{"b", 2}}, {}).result, Json({{"b", 2}}));
}

TEST_F(SessionTest, ProgressGoesToItsCaller) {
  Open([](FakeWire& wire, const Message& message) {
    const Json token = MemberOf(MemberOf(message.params, "_meta"), "progressToken");
    wire.Notification("notifications/progress",
                      {{"progressToken", token}, {"progress", 1}, {"message", "half"}});
    wire.Notification("notifications/progress", {{"progressToken", 12'345}, {"progress", 1}});
    wire.Result(message.id, nullptr);
  });
  Person person;
  EXPECT_TRUE(
      session_->Request("work", Json::object(), {.caller = &person, .progress = true}).status.ok());
  EXPECT_EQ(person.steps, std::vector<std::string>{"half"});
}

TEST_F(SessionTest, CancellationIsTold) {
  Open([](FakeWire& wire, const Message& message) {
    if (message.method != "work") return;
    wire.Notification(
        "notifications/progress",
        {{"progressToken", MemberOf(MemberOf(message.params, "_meta"), "progressToken")},
         {"progress", 1},
         {"message", "stop"}});
  });
  Person person;
  const Reply reply =
      session_->Request("work", Json::object(), {.caller = &person, .progress = true});
  EXPECT_TRUE(absl::IsCancelled(reply.status));
  const auto told = wire_->ParamsOf("notifications/cancelled");
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0]["requestId"], 1);
}

TEST_F(SessionTest, AServerThatNeverAnswersIsGivenUp) {
  Open([](FakeWire&, const Message&) {});
  const Reply reply = session_->Request("work", Json::object(), {.timeout = milliseconds(20)});
  EXPECT_TRUE(absl::IsDeadlineExceeded(reply.status));
  EXPECT_EQ(wire_->ParamsOf("notifications/cancelled").size(), 1u);
  Person person;
  person.In(milliseconds(20));
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      session_->Request("work", Json::object(), {.caller = &person}).status));
}

TEST_F(SessionTest, PingRootsAndSampling) {
  Open(
      [](FakeWire& wire, const Message& message) {
        if (message.method != "go") return;
        wire.Request("p", "ping", Json::object());
        wire.Request("r", "roots/list", Json::object());
        wire.Request("m", "sampling/createMessage", {{"maxTokens", 1}});
        wire.Request("u", "unknown/thing", Json::object());
        wire.Result(message.id, nullptr);
      },
      Json::array({{{"uri", "file:///w"}}}));
  EXPECT_TRUE(session_->Request("go", Json::object(), {}).status.ok());
  EXPECT_EQ(AnswerTo("p").result, Json::object());
  EXPECT_EQ(AnswerTo("r").result["roots"][0]["uri"], "file:///w");
  EXPECT_NE(AnswerTo("m").error.message.find("sampling is off"), std::string::npos);
  EXPECT_EQ(AnswerTo("u").error.code, kMethodNotFound);
}

TEST_F(SessionTest, AQuestionGoesToTheOneWhoCalls) {
  Open([](FakeWire& wire, const Message& message) {
    if (message.method == "work") wire.Request("q", "elicitation/create", kForm);
    if (message.method.empty()) wire.Result(1, message.result);
  });
  Person person;
  const Reply reply = session_->Request("work", Json::object(), {.caller = &person});
  EXPECT_EQ(reply.result["action"], "accept");
  EXPECT_EQ(reply.result["content"]["ok"], true);
}

TEST_F(SessionTest, AQuestionOfNobodysCallIsNotAsked) {
  Open([](FakeWire& wire, const Message& message) {
    if (message.method == "list") wire.Request("q", "elicitation/create", kForm);
    if (message.method.empty()) wire.Result(1, message.result);
  });
  EXPECT_EQ(session_->Request("list", Json::object(), {}).result["action"], "cancel");
}

// Two people call at once and the server does not say whose question it has: it gets no answer, for
// the wrong one must not give it.
TEST_F(SessionTest, AQuestionThatCouldBeTwoPeoplesIsNotAsked) {
  std::promise<void> first_is_in;
  Open([&](FakeWire& wire, const Message& message) {
    if (message.method == "first") first_is_in.set_value();
    if (message.method == "second") wire.Request("q", "elicitation/create", kForm);
    if (message.method == "third") wire.Request("q2", "elicitation/create", kForm, 1);
    if (message.method.empty() && message.id == "q") wire.Result(2, message.result);
    if (message.method.empty() && message.id == "q2") {
      wire.Result(3, nullptr);
      wire.Result(1, message.result);
    }
  });
  Person ada("ada"), bob("bob");
  auto first = std::async(std::launch::async, [&] {
    return session_->Request("first", Json::object(), {.caller = &ada});
  });
  first_is_in.get_future().wait();
  EXPECT_EQ(session_->Request("second", Json::object(), {.caller = &bob}).result["action"],
            "cancel");
  EXPECT_EQ(ada.asked + bob.asked, 0);
  // Over HTTP a question comes in the stream of its call.
  EXPECT_TRUE(session_->Request("third", Json::object(), {.caller = &bob}).status.ok());
  EXPECT_EQ(first.get().result["action"], "accept");
  EXPECT_EQ(ada.asked, 1);
  EXPECT_EQ(bob.asked, 0);
}

TEST_F(SessionTest, TheEndOfTheConnectionEndsItsRequests) {
  Open([](FakeWire& wire, const Message&) { wire.Close(absl::UnavailableError("gone")); });
  EXPECT_EQ(Why(session_->Request("work", Json::object(), {}).status), "gone");
  EXPECT_EQ(Why(session_->Request("again", Json::object(), {}).status), "gone");
}

class ClientTest : public ::testing::Test {
 protected:
  absl::Status Connect(FakeWire::Peer peer, ClientOptions options = {}, bool http = false) {
    options.server = "s";
    auto client = Client::Connect(
        [&] {
          auto wire = std::make_unique<FakeWire>(peer, http);
          wires_.push_back(wire.get());
          return wire;
        },
        options, {}, person_);
    if (client.ok()) client_ = *std::move(client);
    return client.status();
  }
  FakeWire& wire() { return *wires_.back(); }

  Person person_;
  std::vector<FakeWire*> wires_;
  std::unique_ptr<Client> client_;
};

// A server of 2026-07-28; `other` sees everything but the introduction.
FakeWire::Peer Modern(FakeWire::Peer other = {}) {
  return [other](FakeWire& wire, const Message& message) {
    if (message.method == "server/discover") {
      wire.Result(
          message.id,
          {{"resultType", "complete"},
           {"supportedVersions", {"2026-07-28"}},
           {"capabilities", {{"tools", {{"listChanged", true}}}}},
           {"_meta",
            {{"io.modelcontextprotocol/serverInfo", {{"name", "new"}, {"version", "9"}}}}}});
    } else if (other) {
      other(wire, message);
    }
  };
}

// A server that wants a handshake.
FakeWire::Peer Legacy(const std::string& version, FakeWire::Peer other = {}) {
  return [version, other](FakeWire& wire, const Message& message) {
    if (message.method == "initialize") {
      wire.Result(message.id, {{"protocolVersion", version},
                               {"capabilities", {{"tools", Json::object()}}},
                               {"serverInfo", {{"name", "old"}, {"version", "1"}}}});
    } else if (message.method == "server/discover") {
      wire.Error(message.id, kMethodNotFound, "Method not found");
    } else if (other) {
      other(wire, message);
    }
  };
}

TEST_F(ClientTest, TheNewestRevisionNeedsNoHandshake) {
  ASSERT_TRUE(Connect(Modern([](FakeWire& wire, const Message& message) {
                        wire.Result(message.id, {{"tools", Json::array()}});
                      }),
                      {}, true)
                  .ok());
  EXPECT_TRUE(client_->info().modern);
  EXPECT_EQ(client_->info().name, "new");
  ASSERT_TRUE(client_->List("tools/list", "tools", person_).ok());
  const Json meta = wire().ParamsOf("tools/list")[0]["_meta"];
  EXPECT_EQ(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
  EXPECT_TRUE(meta["io.modelcontextprotocol/clientCapabilities"].contains("elicitation"));
  EXPECT_FALSE(meta["io.modelcontextprotocol/clientCapabilities"].contains("sampling"));
  EXPECT_TRUE(wire().ParamsOf("initialize").empty());
  EXPECT_EQ(wire().headers.back(), (Headers{{"Mcp-Method", "tools/list"}}));
}

TEST_F(ClientTest, OlderRevisionsAreFoundOut) {
  for (const char* version : {"2025-11-25", "2025-06-18"}) {
    ASSERT_TRUE(Connect(Legacy(version)).ok());
    EXPECT_EQ(client_->info().protocol, version);
    EXPECT_FALSE(client_->info().modern);
    EXPECT_EQ(wire().ParamsOf("notifications/initialized").size(), 1u);
    EXPECT_EQ(wire().ParamsOf("initialize")[0]["protocolVersion"], "2025-11-25");
  }
}

// The process ends over a request it does not know: a new one gets the handshake at once.
TEST_F(ClientTest, AServerThatEndsOverTheQuestionIsStartedAgain) {
  ASSERT_TRUE(Connect([](FakeWire& wire, const Message& message) {
                if (message.method == "server/discover") {
                  wire.Close(absl::UnavailableError("crashed"));
                } else {
                  Legacy("2025-06-18")(wire, message);
                }
              }).ok());
  EXPECT_EQ(wires_.size(), 2u);
  EXPECT_TRUE(wire().ParamsOf("server/discover").empty());
}

TEST_F(ClientTest, NoCommonRevisionIsSaid) {
  EXPECT_NE(Why(Connect(Legacy("1999-01-01"))).find("1999-01-01"), std::string::npos);
  const absl::Status status = Connect([](FakeWire& wire, const Message& message) {
    wire.Error(message.id, kUnsupportedVersion, "no", {{"supported", {"2031-01-01"}}});
  });
  EXPECT_NE(Why(status).find("2031-01-01"), std::string::npos) << Why(status);
}

TEST_F(ClientTest, PagesUntilTheEndAndNeverInCircles) {
  ASSERT_TRUE(Connect(Legacy("2025-11-25", [](FakeWire& wire, const Message& message) {
                const std::string cursor = StringOf(message.params, "cursor");
                Json page = {{"tools", {{{"name", "t" + cursor}}, "no object"}}};
                if (cursor.empty()) page["nextCursor"] = "2";
                if (message.method == "circle/list") page["nextCursor"] = "same";
                wire.Result(message.id, page);
              })).ok());
  const auto tools = client_->List("tools/list", "tools", person_);
  ASSERT_TRUE(tools.ok());
  ASSERT_EQ(tools->size(), 2u);
  EXPECT_EQ(tools->at(1)["name"], "t2");
  EXPECT_EQ(client_->List("circle/list", "tools", person_)->size(), 2u);
  EXPECT_FALSE(client_->List("tools/list", "others", person_).ok());
}

TEST_F(ClientTest, QuestionsInAResultAreAnsweredInTheNextTry) {
  ASSERT_TRUE(Connect(Modern([](FakeWire& wire, const Message& message) {
                if (!message.params.contains("inputResponses")) {
                  wire.Result(message.id,
                              {{"resultType", "input_required"},
                               {"requestState", "opaque"},
                               {"inputRequests",
                                {{"q", {{"method", "elicitation/create"}, {"params", kForm}}}}}});
                } else {
                  wire.Result(message.id, message.params);
                }
              })).ok());
  const auto result = client_->CallTool({{"name", "t"}}, {{"a", 1}}, person_);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ((*result)["requestState"], "opaque");
  EXPECT_EQ((*result)["inputResponses"]["q"]["action"], "accept");
  EXPECT_EQ((*result)["arguments"]["a"], 1);
}

TEST_F(ClientTest, EndlessQuestionsEnd) {
  ASSERT_TRUE(Connect(Modern([](FakeWire& wire, const Message& message) {
                wire.Result(message.id,
                            {{"resultType", "input_required"}, {"requestState", "more"}});
              })).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(client_->CallTool({{"name", "t"}}, {}, person_).status()));
}

TEST_F(ClientTest, SamplingInAResultIsRefused) {
  ASSERT_TRUE(Connect(Modern([](FakeWire& wire, const Message& message) {
                wire.Result(message.id,
                            {{"resultType", "input_required"},
                             {"inputRequests", {{"m", {{"method", "sampling/createMessage"}}}}}});
              })).ok());
  EXPECT_NE(Why(client_->CallTool({{"name", "t"}}, {}, person_).status()).find("sampling is off"),
            std::string::npos);
}

}  // namespace
}  // namespace talon::plugins::mcp
