// SPDX-License-Identifier: Apache-2.0
#include "router/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "io/loop.h"

namespace talon::router {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Streams what it is told and answers or fails.
struct Script {
  std::vector<std::string> deltas;
  bool tool_delta = false;
  absl::Status error;
};

class FakeModel : public model::ChatModel {
 public:
  FakeModel(std::string provider, const Script& script, std::vector<model::ChatRequest>& requests)
      : provider_(std::move(provider)), script_(script), requests_(requests) {}
  io::Task<absl::StatusOr<model::ChatResponse>> Complete(model::ChatRequest request, CallContext,
                                                         model::DeltaSink* sink) override {
    requests_.push_back(request);
    if (sink != nullptr) {
      for (const std::string& delta : script_.deltas) sink->OnText(delta);
      if (script_.tool_delta) sink->OnToolCall(0, "id", "name");
    }
    if (!script_.error.ok()) co_return script_.error;
    model::ChatResponse response;
    response.message =
        model::TextMessage(model::Role::kAssistant, "from " + provider_, Integrity::kUntrusted);
    co_return response;
  }

 private:
  const std::string provider_;
  const Script& script_;
  std::vector<model::ChatRequest>& requests_;
};

class TextSink : public model::DeltaSink {
 public:
  void OnText(std::string_view piece) override { text += piece; }
  std::string text;
};

class RouterTest : public testing::Test {
 public:
  RouterTest() {
    Provider("a", {"small", "big"});
    Provider("b", {"big", "vendor/nested"});
  }
  void Provider(const std::string& name, const std::vector<std::string>& ids) {
    model::ProviderOptions& options = models.providers[name];
    for (const std::string& id : ids) {
      options.models.emplace_back();
      options.models.back().id = id;
    }
  }
  absl::StatusOr<std::unique_ptr<Router>> Make() {
    return Router::Create(models, routing,
                          [this](const std::string& name, const model::ProviderOptions& options) {
                            made.push_back(name);
                            (void)options;
                            if (!refused.ok())
                              return absl::StatusOr<std::unique_ptr<model::ChatModel>>(refused);
                            return absl::StatusOr<std::unique_ptr<model::ChatModel>>(
                                std::make_unique<FakeModel>(name, scripts[name], requests));
                          });
  }
  std::unique_ptr<Router> Must() {
    auto made_router = Make();
    EXPECT_TRUE(made_router.ok()) << StatusText(made_router.status());
    return *std::move(made_router);
  }
  static std::string NameOf(const absl::StatusOr<Route>& route) {
    return route.ok() ? route->name() : StatusText(route.status());
  }
  absl::StatusOr<RoutedResponse> Ask(Router& router, model::DeltaSink* sink = nullptr,
                                     model::ChatRequest request = {}, CallContext context = {}) {
    auto route = router.Resolve("");
    return loop.RunUntilDone(
        router.Complete(router.Chain(*route), std::move(request), std::move(context), sink));
  }

  io::Loop loop;
  model::ModelsOptions models;
  RoutingOptions routing;
  absl::Status refused;
  std::vector<std::string> made;
  std::map<std::string, Script> scripts;
  std::vector<model::ChatRequest> requests;
};

TEST_F(RouterTest, ResolvesNamesIdsAndAliases) {
  models.catalog["a/big"].alias = "best";
  auto router = Must();
  EXPECT_EQ(NameOf(router->Resolve("a/small")), "a/small");
  EXPECT_EQ(NameOf(router->Resolve("small")), "a/small");
  EXPECT_EQ(NameOf(router->Resolve("best")), "a/big");
  EXPECT_EQ(NameOf(router->Resolve("vendor/nested")), "b/vendor/nested");
  EXPECT_EQ(NameOf(router->Resolve("b/vendor/nested")), "b/vendor/nested");
  EXPECT_EQ(NameOf(router->Resolve("reflex")), "reflex/reflex");
  EXPECT_THAT(made, ElementsAre("a", "b", "reflex"));
}

TEST_F(RouterTest, AnUnlistedModelOfAKnownProviderWorksWithDefaults) {
  auto router = Must();
  auto route = router->Resolve("a/new-one");
  ASSERT_TRUE(route.ok());
  EXPECT_EQ(route->model, "new-one");
  EXPECT_EQ(route->limits.context_window, model::ModelEntry().context_window);
  EXPECT_FALSE(router->Resolve("reflex/other").ok());
  EXPECT_FALSE(router->Resolve("a/").ok());
}

TEST_F(RouterTest, UnknownNamesAreAnsweredWithTheNearest) {
  models.catalog["a/big"].alias = "best";
  auto router = Must();
  for (const auto& [name, nearest] : std::map<std::string, std::string>{
           {"c/smal", "a/small"}, {"smal", "small"}, {"bst", "best"}, {"A/small", "a/small"}}) {
    const absl::Status status = router->Resolve(name).status();
    EXPECT_TRUE(absl::IsNotFound(status));
    EXPECT_EQ(ReasonOf(status), ErrorReason::kUnknownModel);
    EXPECT_THAT(std::string(Message(status)), HasSubstr("did you mean '" + nearest + "'"));
  }
  const absl::Status far = router->Resolve("completely-else").status();
  EXPECT_THAT(std::string(Message(far)), HasSubstr("known: a/small, a/big, b/big"));
  EXPECT_LT(Message(router->Resolve(std::string(100'000, 'x')).status()).size(), 1000u);
}

TEST_F(RouterTest, AnIdOfTwoProvidersMustBeSaidInFull) {
  auto router = Must();
  const absl::Status status = router->Resolve("big").status();
  EXPECT_EQ(ReasonOf(status), ErrorReason::kUnknownModel);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("a/big, b/big"));
}

TEST_F(RouterTest, TheDefaultIsPrimaryThenWeightThenReflex) {
  EXPECT_EQ(NameOf(Must()->Resolve("")), "a/small");
  models.catalog["b/big"].weight = 5;
  EXPECT_EQ(NameOf(Must()->Resolve("")), "b/big");
  routing.primary = "a/unlisted";
  auto router = Must();
  EXPECT_EQ(NameOf(router->Resolve("")), "a/unlisted");
  EXPECT_EQ(router->List().front().name(), "a/unlisted");
  EXPECT_TRUE(router->model_configured());
  EXPECT_EQ(router->Advice(), "");
  models = {};
  models.providers["openai"] = {};
  routing = {};
  router = Must();
  EXPECT_FALSE(router->model_configured());
  EXPECT_THAT(router->Advice(), HasSubstr("TALON_MODEL=openai/<model>"));
  models = {};
  router = Must();
  EXPECT_EQ(NameOf(router->Resolve("")), "reflex/reflex");
  EXPECT_FALSE(router->model_configured());
  EXPECT_THAT(router->List(), SizeIs(1));
}

TEST_F(RouterTest, WrongConfigurationNamesItsKey) {
  auto message = [this] { return std::string(Message(Make().status())); };
  routing.primary = "nobody/none";
  EXPECT_THAT(message(), HasSubstr("routing.primary: unknown model 'nobody/none'"));
  routing = {};
  routing.fallbacks = {"smll"};
  EXPECT_THAT(message(), HasSubstr("routing.fallbacks: unknown model 'smll'; did you mean"));
  routing = {};
  models.catalog["none"].weight = 1;
  EXPECT_THAT(message(), HasSubstr("models.catalog.none"));
  models.catalog.clear();
  models.catalog["a/small"].alias = "x";
  models.catalog["b/big"].alias = "x";
  EXPECT_THAT(message(), HasSubstr("models.catalog.b/big.alias: 'x' already means 'a/small'"));
  models.catalog.clear();
  for (const char* name : {"reflex", "a/b"}) {
    models.providers[name] = {};
    EXPECT_THAT(message(), HasSubstr(std::string("models.providers.") + name));
    models.providers.erase(name);
  }
  refused = InvalidArgument("base_url must begin with http");
  EXPECT_THAT(message(), HasSubstr("models.providers.a: base_url"));
}

TEST_F(RouterTest, TheChainIsTheFallbacksWithoutRepetition) {
  routing.fallbacks = {"b/big", "a/small", "b/big", "b/other"};
  auto router = Must();
  std::vector<std::string> names;
  for (const Route& route : router->Chain(*router->Resolve("a/small"))) {
    names.push_back(route.name());
  }
  EXPECT_THAT(names, ElementsAre("a/small", "b/big", "b/other"));
}

struct FailoverCase {
  ErrorReason reason;
  bool goes_on;
};

class FailoverTest : public RouterTest, public testing::WithParamInterface<FailoverCase> {};

TEST_P(FailoverTest, OnlyForWhatAnotherModelCanCure) {
  routing.primary = "a/small";
  routing.fallbacks = {"b/big"};
  scripts["a"].error =
      MakeError(absl::StatusCode::kUnavailable, GetParam().reason, "a does not answer");
  auto router = Must();
  auto routed = Ask(*router);
  EXPECT_EQ(routed.ok(), GetParam().goes_on);
  EXPECT_THAT(requests, SizeIs(GetParam().goes_on ? 2 : 1));
  if (!routed.ok()) return;
  EXPECT_EQ(model::TextOf(routed->response.message), "from b");
  EXPECT_EQ(routed->route.name(), "b/big");
  EXPECT_THAT(routed->failed_over, ElementsAre("a/small: a does not answer"));
  EXPECT_EQ(requests[1].model, "big");
}

INSTANTIATE_TEST_SUITE_P(Reasons, FailoverTest,
                         testing::Values(FailoverCase{ErrorReason::kAuth, true},
                                         FailoverCase{ErrorReason::kQuota, true},
                                         FailoverCase{ErrorReason::kRateLimited, true},
                                         FailoverCase{ErrorReason::kOverloaded, true},
                                         FailoverCase{ErrorReason::kTransport, true},
                                         FailoverCase{ErrorReason::kUnknownModel, true},
                                         FailoverCase{ErrorReason::kContextTooLong, false},
                                         FailoverCase{ErrorReason::kContentFiltered, false},
                                         FailoverCase{ErrorReason::kBadRequest, false},
                                         FailoverCase{ErrorReason::kNone, false}));

TEST_F(RouterTest, NoFailoverOnceTheCallerHasSeenADelta) {
  routing.primary = "a/small";
  routing.fallbacks = {"b/big"};
  const absl::Status cut =
      MakeError(absl::StatusCode::kUnavailable, ErrorReason::kTransport, "cut");
  auto router = Must();
  TextSink sink;
  scripts["a"] = {.deltas = {"half an ans"}, .tool_delta = false, .error = cut};
  EXPECT_EQ(ReasonOf(Ask(*router, &sink).status()), ErrorReason::kTransport);
  EXPECT_THAT(requests, SizeIs(1));
  scripts["a"] = {.deltas = {}, .tool_delta = true, .error = cut};
  EXPECT_FALSE(Ask(*router, &sink).ok());
  EXPECT_THAT(requests, SizeIs(2));
  // Nobody looks: nobody has seen it.
  scripts["a"] = {.deltas = {"half an ans"}, .tool_delta = false, .error = cut};
  EXPECT_TRUE(Ask(*router).ok());
  scripts["a"].deltas = {};
  scripts["b"].deltas = {"whole"};
  sink.text.clear();
  EXPECT_TRUE(Ask(*router, &sink).ok());
  EXPECT_EQ(sink.text, "whole");
}

TEST_F(RouterTest, NoFailoverOnceTheCallIsCancelled) {
  routing.primary = "a/small";
  routing.fallbacks = {"b/big"};
  scripts["a"].error = MakeError(absl::StatusCode::kCancelled, ErrorReason::kTransport, "gone");
  auto router = Must();
  CancelSource source;
  source.Cancel(Cancelled("gone"));
  CallContext context;
  context.cancel = source.token();
  EXPECT_FALSE(Ask(*router, nullptr, {}, context).ok());
  EXPECT_THAT(requests, SizeIs(1));
}

TEST_F(RouterTest, WhenAllFailTheLastErrorTellsOfTheOthers) {
  routing.primary = "a/small";
  routing.fallbacks = {"b/big"};
  scripts["a"].error =
      MakeError(absl::StatusCode::kUnavailable, ErrorReason::kOverloaded, "a is busy");
  scripts["b"].error = WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, ErrorReason::kRateLimited, "b says wait"),
      3000);
  auto router = Must();
  const absl::Status status = Ask(*router).status();
  EXPECT_EQ(ReasonOf(status), ErrorReason::kRateLimited);
  EXPECT_EQ(RetryAfterMsOf(status), 3000);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("a is busy"));
  EXPECT_THAT(std::string(Message(status)), HasSubstr("b says wait"));
}

TEST_F(RouterTest, EachModelIsAskedForItsOwnNumberOfTokens) {
  models.providers["a"].models[0].max_tokens = 100;
  models.providers["b"].models[0].max_tokens = 50;
  routing.primary = "a/small";
  routing.fallbacks = {"b/big", "b/vendor/nested"};
  const absl::Status busy =
      MakeError(absl::StatusCode::kUnavailable, ErrorReason::kOverloaded, "busy");
  scripts["a"].error = scripts["b"].error = busy;
  auto router = Must();
  EXPECT_FALSE(Ask(*router).ok());
  ASSERT_THAT(requests, SizeIs(3));
  EXPECT_EQ(requests[0].max_output_tokens, 100);
  EXPECT_EQ(requests[1].max_output_tokens, 50);
  EXPECT_EQ(requests[2].max_output_tokens, std::nullopt);
  requests.clear();
  model::ChatRequest request;
  request.max_output_tokens = 7;
  EXPECT_FALSE(Ask(*router, nullptr, request).ok());
  for (const auto& sent : requests) EXPECT_EQ(sent.max_output_tokens, 7);
}

TEST_F(RouterTest, TheCallerMakesTheRequestOfEachFurtherModel) {
  routing.primary = "a/small";
  routing.fallbacks = {"b/big", "b/other"};
  scripts["a"].error =
      MakeError(absl::StatusCode::kUnavailable, ErrorReason::kOverloaded, "a is busy");
  scripts["b"].error =
      MakeError(absl::StatusCode::kUnavailable, ErrorReason::kOverloaded, "b is busy");
  auto router = Must();
  std::vector<std::string> asked;
  absl::Status refusal;
  auto make = [&](const Route& next,
                  const absl::Status& error) -> io::Task<absl::StatusOr<model::ChatRequest>> {
    asked.push_back(next.name() + " after " + std::string(Message(error)));
    if (!refusal.ok() && asked.size() == 2) co_return refusal;
    model::ChatRequest request;
    request.system = next.name();
    co_return request;
  };
  model::ChatRequest first;
  first.system = "first";
  auto ask = [&] {
    return loop.RunUntilDone(
        router->Complete(router->Chain(*router->Resolve("")), first, {}, nullptr, make));
  };
  EXPECT_FALSE(ask().ok());
  EXPECT_THAT(asked, ElementsAre("b/big after a is busy", "b/other after b is busy"));
  ASSERT_THAT(requests, SizeIs(3));
  EXPECT_EQ(requests[0].system, "first");
  EXPECT_EQ(requests[1].system, "b/big");
  EXPECT_EQ(requests[2].system, "b/other");
  EXPECT_EQ(requests[2].model, "other");

  asked.clear();
  requests.clear();
  refusal = absl::DataLossError("not recorded");
  EXPECT_TRUE(absl::IsDataLoss(ask().status()));
  EXPECT_THAT(requests, SizeIs(2));
}

TEST_F(RouterTest, AnEmptyChainIsAnError) {
  auto router = Must();
  EXPECT_FALSE(loop.RunUntilDone(router->Complete({}, {}, {}, nullptr)).ok());
}

}  // namespace
}  // namespace talon::router
