// SPDX-License-Identifier: Apache-2.0
// Progress and questions of tools over HTTP.
#include <optional>

#include "tests/unit/gateway/gateway_rig.h"

namespace talon::gateway {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

// A native stream read event by event.
class Watched {
 public:
  Watched(GatewayTest& test, std::string body, const std::string& path = "/v1/turns",
          const std::string& key = "")
      : test_(test), request_(test.Request("POST", path, std::move(body))) {
    if (!key.empty()) request_.headers.Set("Idempotency-Key", key);
  }

  // The next event called `name`; nothing when the stream ends before.
  std::optional<Json> Until(const std::string& name) {
    return test_.Run([](Watched* self, std::string wanted) -> io::Task<std::optional<Json>> {
      while (true) {
        for (; self->next_ < self->events_.size(); ++self->next_) {
          const io::SseEvent& event = self->events_[self->next_];
          if (event.event != wanted) continue;
          ++self->next_;
          auto json = ParseJson(event.data, "event");
          co_return json.ok() ? std::optional<Json>(*json) : std::nullopt;
        }
        if (!co_await self->More()) co_return std::nullopt;
      }
    }(this, name));
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& event : events_) names.push_back(event.event);
    return names;
  }
  void Leave() { stream_.reset(); }

 private:
  io::Task<bool> More() {
    if (stream_ == nullptr) {
      auto opened = co_await test_.client->Open(std::move(request_), {});
      if (!opened.ok()) co_return false;
      stream_ = *std::move(opened);
    }
    auto piece = co_await stream_->Read();
    co_return piece.ok() && !piece->empty() && parser_.Feed(*piece, events_).ok();
  }

  GatewayTest& test_;
  io::HttpRequest request_;
  std::unique_ptr<io::HttpStream> stream_;
  io::SseParser parser_;
  std::vector<io::SseEvent> events_;
  std::size_t next_ = 0;
};

class QuestionHttpTest : public GatewayTest {
 protected:
  // Tells its progress, asks, and answers with what it was told.
  void AddAsker() {
    tool::ToolSpec spec = agent::ReadSpec("test__ask");
    spec.asks = true;
    AddTool(spec,
            [](tool::Invocation call, CallContext context) -> io::Task<agent::FakeTool::Output> {
              call.events->OnProgress({.text = "looking", .done = 1, .total = 3});
              const tool::Answer answer = co_await call.events->Ask(
                  {.text = "How many?",
                   .schema = R"({"type":"object","properties":{"n":{"type":"integer"}}})",
                   .url = ""},
                  context);
              co_return agent::Gives(
                  call, std::string(tool::AnswerActionName(answer.action)) + answer.content);
            });
    model.Call({Call("test__ask", "{}", "c")});
    model.Say("done");
  }
  static std::string PathOf(const Json& start, const Json& question) {
    return "/v1/turns/" + JsonString(start, "turn") + "/questions/" +
           JsonString(question, "question");
  }
};

TEST_F(QuestionHttpTest, AQuestionIsStreamedAndAnswered) {
  AddAsker();
  Serve();
  Watched watched(*this, R"({"message":"go","session":"s"})");
  const auto start = watched.Until("turn_start");
  const auto progress = watched.Until("tool_progress");
  const auto question = watched.Until("question");
  ASSERT_TRUE(start && progress && question);
  EXPECT_EQ(*progress, Json::parse(R"({"call_id":"c","tool":"test__ask","text":"looking",
                                       "done":1.0,"total":3.0})"));
  EXPECT_EQ(JsonString(*question, "plugin"), "test");
  EXPECT_EQ(JsonString(*question, "tool"), "test__ask");
  EXPECT_EQ(JsonString(*question, "text"), "How many?");
  EXPECT_EQ((*question)["schema"]["properties"]["n"]["type"], "integer");
  EXPECT_EQ((*question)["fields"], Json({"n"}));

  const std::string path = PathOf(*start, *question);
  EXPECT_EQ(Post(path, R"({"action":"accept","content":{"n":"many"}})").status, 400);
  EXPECT_EQ(Post(path, R"({"action":"maybe"})").status, 400);
  EXPECT_EQ(Post(path, R"({"action":"accept","content":3})").status, 400);
  EXPECT_EQ(Post(path + "x", R"({"action":"decline"})").status, 404);
  EXPECT_EQ(Get(path).status, 405);
  EXPECT_EQ(Post("/v1/turns/nope/questions/nope", R"({"action":"decline"})").status, 404);
  EXPECT_EQ(Post("/v1/turns//questions/", R"({"action":"decline"})").status, 404);
  EXPECT_EQ(Post(path, R"({"action":"accept","content":{"n":4}})").status, 200);
  const auto closed = watched.Until("question_closed");
  ASSERT_TRUE(closed);
  EXPECT_EQ(JsonString(*closed, "action"), "accept");
  ASSERT_TRUE(watched.Until("done"));
  EXPECT_EQ(Post(path, R"({"action":"accept","content":{"n":4}})").status, 404);
  EXPECT_THAT(Conversation().at(2), HasSubstr(R"(accept{"n":4})"));
}

TEST_F(QuestionHttpTest, WhoRepeatsTheRequestIsAskedToo) {
  AddAsker();
  Serve();
  Watched first(*this, R"({"message":"go","session":"s"})", "/v1/turns", "k");
  ASSERT_TRUE(first.Until("question"));
  Watched again(*this, R"({"message":"go","session":"s"})", "/v1/turns", "k");
  const auto start = again.Until("turn_start");
  const auto question = again.Until("question");
  ASSERT_TRUE(start && question);
  first.Leave();  // the question stays open for the other
  EXPECT_EQ(Post(PathOf(*start, *question), R"({"action":"accept","content":{"n":4}})").status,
            200);
  ASSERT_TRUE(again.Until("question_closed"));
  ASSERT_TRUE(again.Until("tool_result"));
  ASSERT_TRUE(again.Until("done"));
  EXPECT_THAT(Conversation().at(2), HasSubstr(R"(accept{"n":4})"));
}

TEST_F(QuestionHttpTest, DecliningNeedsNoContent) {
  AddAsker();
  Serve();
  Watched watched(*this, R"({"message":"go","session":"s"})");
  const auto start = watched.Until("turn_start");
  const auto question = watched.Until("question");
  ASSERT_TRUE(start && question);
  EXPECT_EQ(Post(PathOf(*start, *question), R"({"action":"decline"})").status, 200);
  ASSERT_TRUE(watched.Until("done"));
  EXPECT_THAT(Conversation().at(2), HasSubstr("decline"));
}

TEST_F(QuestionHttpTest, WithoutANativeStreamTheAnswerIsCancel) {
  AddAsker();
  Serve();
  const auto events =
      Events(Post("/v1/chat/completions", Chat("go", R"("stream":true,"user":"s")")));
  EXPECT_GT(events.size(), 1u);
  EXPECT_THAT(Conversation("user:s").at(2), HasSubstr("cancel"));
  model.Call({Call("test__ask", "{}", "c")});
  model.Say("done");
  EXPECT_EQ(Post("/v1/turns", R"({"message":"go","session":"t","stream":false})").status, 200);
  EXPECT_THAT(Conversation("t").at(2), HasSubstr("cancel"));
}

TEST_F(QuestionHttpTest, CancellingTheTurnClosesTheQuestion) {
  AddAsker();
  Serve();
  Watched watched(*this, R"({"message":"go","session":"s"})");
  const auto start = watched.Until("turn_start");
  const auto question = watched.Until("question");
  ASSERT_TRUE(start && question);
  EXPECT_EQ(Post("/v1/turns/" + JsonString(*start, "turn") + "/cancel", "{}").status, 200);
  const auto closed = watched.Until("question_closed");
  ASSERT_TRUE(closed);
  EXPECT_EQ(JsonString(*closed, "action"), "cancel");
  EXPECT_TRUE(watched.Until("error"));
}

TEST_F(QuestionHttpTest, ACallOfAPersonTellsAndAsksAsWell) {
  AddAsker();
  plugin::PluginInfo test;
  test.name = "test";
  plugins.others = {test};
  Serve();
  Watched run(*this, R"({"tool":"ask","stream":true})", "/v1/plugins/test/run");
  const auto progress = run.Until("tool_progress");
  ASSERT_TRUE(progress);
  EXPECT_EQ((*progress)["text"], "looking");
  const auto question = run.Until("question");
  ASSERT_TRUE(question);
  EXPECT_EQ((*question)["plugin"], "test");
  const std::string path = "/v1/plugins/test/questions/" + JsonString(*question, "question");
  EXPECT_EQ(Post(path, R"({"action":"accept","content":{"n":"x"}})").status, 400);
  EXPECT_EQ(Post(path + "x", R"({"action":"accept","content":{"n":3}})").status, 404);
  EXPECT_EQ(Post(path, R"({"action":"accept","content":{"n":3}})").status, 200);
  const auto done = run.Until("done");
  ASSERT_TRUE(done);
  EXPECT_EQ((*done)["text"], R"(accept{"n":3})");
  EXPECT_EQ(Post(path, R"({"action":"decline"})").status, 404) << "it is answered";
  // Nobody is there without a stream, nor when the client has gone.
  EXPECT_EQ(Parsed(Post("/v1/plugins/test/run", R"({"tool":"ask"})"))["text"], "cancel");
  Watched left(*this, R"({"tool":"ask","stream":true})", "/v1/plugins/test/run");
  ASSERT_TRUE(left.Until("question"));
  left.Leave();
  EXPECT_EQ(Get("/v1/plugins").status, 200);
}

}  // namespace
}  // namespace talon::gateway
