// SPDX-License-Identifier: Apache-2.0
// The parts without threads: messages, events, headers, questions, names, schemas, contents.
#include <gtest/gtest.h>

#include "mcp/content.h"
#include "mcp/elicitation.h"
#include "mcp/json_rpc.h"
#include "mcp/offer.h"
#include "mcp/param_headers.h"
#include "mcp/schema.h"
#include "mcp/sse.h"

namespace talon::plugins::mcp {
namespace {

TEST(JsonRpc, ReadsEveryKind) {
  const auto request = ParseMessages(R"({"jsonrpc":"2.0","id":"a","method":"ping"})");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->front().kind, Message::Kind::kRequest);
  EXPECT_EQ(request->front().id, "a");
  EXPECT_TRUE(request->front().params.is_object());
  EXPECT_EQ(ParseMessages(R"({"jsonrpc":"2.0","method":"x"})")->front().kind,
            Message::Kind::kNotification);
  EXPECT_EQ(ParseMessages(R"({"jsonrpc":"2.0","id":1,"result":null})")->front().kind,
            Message::Kind::kResult);
  const auto error =
      ParseMessages(R"({"jsonrpc":"2.0","id":1,"error":{"code":-3,"message":"no"}})");
  EXPECT_EQ(error->front().error.code, -3);
  EXPECT_EQ(
      ParseMessages(R"([{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"b"}])")->size(),
      2u);
}

TEST(JsonRpc, RefusesWhatIsNoMessage) {
  for (const char* text :
       {"", "{", "7", "{}", R"({"jsonrpc":"1.0","method":"x"})", R"({"jsonrpc":"2.0","id":1})",
        R"({"jsonrpc":"2.0","id":[],"method":"x"})", R"({"jsonrpc":"2.0","id":1,"error":"no"})"}) {
    EXPECT_FALSE(ParseMessages(text).ok()) << text;
  }
  EXPECT_FALSE(ParseMessages(std::string(100'000, '[')).ok());
  EXPECT_FALSE(ParseJson("\"\xff\"").ok());
}

TEST(Sse, AnyLineEndSplitAnywhere) {
  const std::string stream =
      "\xEF\xBB\xBF: hello\r\nid: 7\r\nevent: message\r\ndata: one\rdata: two\n\nretry: 250\n"
      "data\n\nevent: end\ndata: x";
  for (std::size_t step = 1; step < stream.size(); ++step) {
    SseParser parser(1'000);
    std::vector<SseEvent> events;
    for (std::size_t i = 0; i < stream.size(); i += step) {
      ASSERT_TRUE(parser.Push(std::string_view(stream).substr(i, step),
                              [&](SseEvent event) { events.push_back(std::move(event)); }));
    }
    ASSERT_EQ(events.size(), 2u) << "the last one is not finished; step " << step;
    EXPECT_EQ(events[0].type, "message");
    EXPECT_EQ(events[0].data, "one\ntwo");
    EXPECT_EQ(events[1].data, "");
    EXPECT_EQ(parser.last_event_id(), "7");
    EXPECT_EQ(parser.retry_ms(), 250);
  }
}

TEST(Sse, AnEventIsBounded) {
  SseParser parser(1'000);
  bool fits = true;
  for (int i = 0; i < 100 && fits; ++i) fits = parser.Push("data: 0123456789012345\n", [](auto) {});
  EXPECT_FALSE(fits);
}

TEST(Headers, ValuesAreSafe) {
  EXPECT_EQ(HeaderValue("us west 1"), "us west 1");
  EXPECT_EQ(HeaderValue(" padded "), "=?base64?IHBhZGRlZCA=?=");
  EXPECT_EQ(HeaderValue("line1\nline2"), "=?base64?bGluZTEKbGluZTI=?=");
  EXPECT_EQ(HeaderValue("=?base64?literal?="), "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=");
}

TEST(Headers, OfMarkedArguments) {
  const Json schema = {
      {"properties",
       {{"region", {{"type", "string"}, {"x-mcp-header", "Region"}}},
        {"deep", {{"properties", {{"n", {{"type", "integer"}, {"x-mcp-header", "N"}}}}}}}}}};
  const auto marked = FindParamHeaders(schema);
  ASSERT_TRUE(marked.ok());
  const Headers values =
      ParamHeaderValues(*marked, {{"region", "eu"}, {"deep", {{"n", 42}}}, {"x", 1}});
  EXPECT_EQ(values, (Headers{{"Mcp-Param-N", "42"}, {"Mcp-Param-Region", "eu"}}));
  EXPECT_TRUE(ParamHeaderValues(*marked, {{"region", nullptr}}).empty());
}

TEST(Headers, ForbiddenMarksAreFound) {
  const auto bad = [](Json property) {
    return !FindParamHeaders({{"properties", {{"a", std::move(property)}}}}).ok();
  };
  EXPECT_TRUE(bad({{"type", "string"}, {"x-mcp-header", ""}}));
  EXPECT_TRUE(bad({{"type", "string"}, {"x-mcp-header", "A\r\nB: c"}}));
  EXPECT_TRUE(bad({{"type", "number"}, {"x-mcp-header", "A"}}));
  EXPECT_TRUE(bad({{"type", "array"}, {"items", {{"type", "string"}, {"x-mcp-header", "A"}}}}));
  EXPECT_TRUE(bad({{"oneOf", {{{"type", "string"}, {"x-mcp-header", "A"}}}}}));
  const Json twice = {{"properties",
                       {{"a", {{"type", "string"}, {"x-mcp-header", "Same"}}},
                        {"b", {{"type", "string"}, {"x-mcp-header", "same"}}}}}};
  EXPECT_FALSE(FindParamHeaders(twice).ok());
}

TEST(Elicitation, FillsDefaultsAndDropsTheRest) {
  const Json schema = {{"type", "object"},
                       {"properties",
                        {{"name", {{"type", "string"}, {"default", "Ada"}}},
                         {"age", {{"type", "integer"}}},
                         {"pet", {{"type", "string"}, {"enum", {"cat", "dog"}}}}}},
                       {"required", {"name"}}};
  EXPECT_EQ(*FitAnswer(schema, {{"age", 3}, {"admin", true}}), Json({{"name", "Ada"}, {"age", 3}}));
  EXPECT_FALSE(FitAnswer(schema, {{"age", "three"}}).ok());
  EXPECT_FALSE(FitAnswer(schema, {{"pet", "bear"}}).ok());
  const Json strict = {{"properties", {{"a", {{"type", "string"}}}}}, {"required", {"a"}}};
  EXPECT_FALSE(FitAnswer(strict, Json::object()).ok());
}

class Asked : public Caller {
 public:
  Answer Ask(const Question& question) override {
    questions.push_back(question);
    return {.action = Answer::Action::kAccept, .content_json = "{}"};
  }
  std::vector<Question> questions;
};

TEST(Elicitation, OnlyFormsAndSafePagesAreAsked) {
  Asked caller;
  const Json nested = {
      {"message", "?"},
      {"requestedSchema", {{"type", "object"}, {"properties", {{"a", {{"type", "object"}}}}}}}};
  EXPECT_EQ(Elicit("s", nested, caller)["action"], "decline");
  for (const char* url : {"http://example.com/", "javascript:alert(1)", "file:///etc/passwd",
                          "https://example.com/\nx", "http://localhost@example.com/", ""}) {
    EXPECT_EQ(Elicit("s", {{"mode", "url"}, {"url", url}}, caller)["action"], "decline") << url;
  }
  EXPECT_TRUE(caller.questions.empty());
  EXPECT_EQ(Elicit("s", {{"mode", "url"}, {"url", "https://example.com/"}}, caller)["action"],
            "accept");
  EXPECT_EQ(caller.questions.size(), 1u);
}

TEST(Offers, NamesFitAndStayTheSame) {
  EXPECT_EQ(OfferName("files", "read"), "files__read");
  const std::string dotted = OfferName("files", "read.text");
  EXPECT_EQ(dotted.substr(0, 17), "files__read_text_");
  EXPECT_EQ(dotted, OfferName("files", "read.text"));
  EXPECT_NE(dotted, OfferName("files", "read/text"));
  const std::string lengthy(100, 'x');
  EXPECT_EQ(OfferName("s", lengthy).size(), 48u);
  EXPECT_NE(OfferName("s", lengthy), OfferName("s", lengthy + "x"));
}

Json ToolNamed(const std::string& name, Json annotations = nullptr) {
  Json tool = {
      {"name", name},
      {"inputSchema", {{"type", "object"}, {"properties", {{"q", {{"type", "string"}}}}}}}};
  if (!annotations.is_null()) tool["annotations"] = std::move(annotations);
  return tool;
}

TEST(Offers, SameNamesAreNotOffered) {
  const ServerConfig server{.name = "s"};
  const auto offers = MakeOffers(
      server, {.tools = {ToolNamed("a"), ToolNamed("b"), ToolNamed("a"), ToolNamed("")}});
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].name, "s__b");
}

TEST(Offers, AServersWordCountsOnlyWhenTrusted) {
  const Json reads = {{"readOnlyHint", true}, {"openWorldHint", false}};
  ServerConfig server{.name = "s"};
  Offer offer = MakeOffers(server, {.tools = {ToolNamed("a", reads)}}).front();
  EXPECT_EQ(offer.effect, sdk::Effect::kExec);
  EXPECT_FALSE(offer.read_only);
  EXPECT_EQ(offer.sinks, std::vector<std::string>{"q"});
  EXPECT_EQ(MakeOffers(server, {.tools = {ToolNamed("a")}, .http = true}).front().effect,
            sdk::Effect::kSend);

  server.trust_hints = true;
  offer = MakeOffers(server, {.tools = {ToolNamed("a", reads)}}).front();
  EXPECT_EQ(offer.effect, sdk::Effect::kRead);
  EXPECT_TRUE(offer.read_only);
  // Reading from the open world tells it what is read.
  offer = MakeOffers(server, {.tools = {ToolNamed("a", {{"readOnlyHint", true}})}}).front();
  EXPECT_EQ(offer.effect, sdk::Effect::kSend);

  server = {.name = "s", .effects = {{"*", sdk::Effect::kRead}, {"del*", sdk::Effect::kAdmin}}};
  EXPECT_TRUE(MakeOffers(server, {.tools = {ToolNamed("get")}}).front().read_only);
  EXPECT_EQ(MakeOffers(server, {.tools = {ToolNamed("delete")}}).front().effect,
            sdk::Effect::kAdmin);
}

TEST(Schema, BecomesFitForTheDaemon) {
  const Json schema = {
      {"type", "object"},
      {"$defs", {{"node", {{"properties", {{"next", {{"$ref", "#/$defs/node"}}}}}}}}},
      {"properties",
       {{"ok", {{"type", "string"}, {"description", std::string(5'000, 'd')}}},
        {"remote", {{"$ref", "https://example.com/schema.json"}}},
        {"circle", {{"$ref", "#/$defs/node"}}},
        {"odd", {{"type", "object"}, {"patternProperties", {{"^a", {{"type", "string"}}}}}}}}}};
  const Json fit = FitSchema(schema);
  EXPECT_LE(fit["properties"]["ok"]["description"].get<std::string>().size(), 500u);
  EXPECT_EQ(fit["properties"]["remote"], Json::object());
  EXPECT_EQ(fit["properties"]["circle"], Json::object());
  EXPECT_FALSE(fit["properties"]["odd"].contains("patternProperties"));
  EXPECT_EQ(FitSchema("no schema"), Json({{"type", "object"}}));
  EXPECT_EQ(FitSchema({{"type", "array"}}), Json({{"type", "object"}}));
  Json deep = {{"type", "string"}};
  for (int i = 0; i < 40; ++i) deep = {{"type", "object"}, {"properties", {{"p", deep}}}};
  EXPECT_LT(Dump(FitSchema(deep)).size(), 1'500u);
}

TEST(Schema, UsableReferencesStay) {
  const Json schema = {{"type", "object"},
                       {"$defs", {{"id", {{"type", "integer"}}}}},
                       {"properties", {{"id", {{"$ref", "#/$defs/id"}}}}}};
  EXPECT_EQ(FitSchema(schema), schema);
}

TEST(Content, WhatIsNoTextIsNoted) {
  const Json result = {{"content",
                        {{{"type", "text"}, {"text", "hi"}},
                         {{"type", "image"}, {"mimeType", "image/png"}, {"data", "AAAAAAAA"}},
                         {{"type", "audio"}, {"mimeType", "audio/wav"}, {"data", "AAAA"}},
                         {{"type", "resource_link"}, {"uri", "x://y"}, {"name", "Y"}},
                         {{"type", "resource"}, {"resource", {{"uri", "x://z"}, {"text", "zz"}}}},
                         {{"type", "hologram"}}}}};
  EXPECT_EQ(RenderToolResult(result).content,
            "hi\n[image image/png, 6 bytes: not shown]\n[audio audio/wav, 3 bytes: not shown]\n"
            "[resource x://y Y]\n[x://z]\nzz\n[content of unknown type 'hologram']");
}

TEST(Content, StructuredAndErrors) {
  const sdk::Result both = RenderToolResult({{"structuredContent", {{"t", 1}}}});
  EXPECT_EQ(both.structured_json, R"({"t":1})");
  EXPECT_EQ(both.content, both.structured_json);
  const Json failed = {{"isError", true}, {"content", {{{"type", "text"}, {"text", "broke"}}}}};
  EXPECT_EQ(RenderToolResult(failed).error, "broke");
  EXPECT_FALSE(RenderToolResult({{"isError", true}}).error.empty());
  EXPECT_EQ(RenderToolResult("nonsense").content, "");
}

}  // namespace
}  // namespace talon::plugins::mcp
