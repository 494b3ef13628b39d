// SPDX-License-Identifier: Apache-2.0
#include "router/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "io/loop.h"

namespace talon::router {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::Status Refused(ErrorReason reason) {
  return MakeError(absl::StatusCode::kUnavailable, reason, "refused");
}

// Answers with its provider's name, or with an error; can speak before it fails.
class ScriptedModel : public model::ChatModel {
 public:
  ScriptedModel(std::string name, std::map<std::string, absl::Status>& errors,
                std::vector<std::string>& asked)
      : name_(std::move(name)), errors_(errors), asked_(asked) {}
  io::Task<absl::StatusOr<model::ChatResponse>> Complete(model::ChatRequest request, CallContext,
                                                         model::DeltaSink* sink) override {
    asked_.push_back(name_ + "/" + request.model);
    tokens = request.max_output_tokens.value_or(0);
    if (sink != nullptr && speaks) sink->OnText("partial");
    if (auto error = errors_.find(name_); error != errors_.end()) co_return error->second;
    model::ChatResponse response;
    response.message = model::TextMessage(model::Role::kAssistant, name_, Integrity::kUntrusted);
    co_return response;
  }
  bool speaks = false;
  std::int64_t tokens = 0;

 private:
  std::string name_;
  std::map<std::string, absl::Status>& errors_;
  std::vector<std::string>& asked_;
};

class NullSink : public model::DeltaSink {
 public:
  void OnText(std::string_view) override {}
};

class RouterTest : public ::testing::Test {
 protected:
  void AddProvider(const std::string& name, std::vector<std::string> ids) {
    for (std::string& id : ids) {
      model::ModelEntry entry;
      entry.id = id;
      entry.max_tokens = 77;
      models_.providers[name].models.push_back(entry);
    }
    models_.providers[name];
  }
  absl::Status Make() {
    auto router = Router::Create(
        models_, routing_,
        [this](const std::string& provider,
               const model::ProviderOptions&) -> absl::StatusOr<std::unique_ptr<model::ChatModel>> {
          auto model = std::make_unique<ScriptedModel>(provider, errors_, asked_);
          made_[provider] = model.get();
          return model;
        });
    if (!router.ok()) return router.status();
    router_ = *std::move(router);
    return absl::OkStatus();
  }
  absl::StatusOr<RoutedResponse> Ask(const std::string& name, model::DeltaSink* sink = nullptr) {
    auto route = router_->Resolve(name);
    if (!route.ok()) return route.status();
    return loop_.RunUntilDone(
        router_->Complete(router_->Chain(*route), model::ChatRequest(), CallContext(), sink));
  }
  std::string Name(std::string_view name) {
    auto route = router_->Resolve(name);
    return route.ok() ? route->name() : std::string(Message(route.status()));
  }

  io::Loop loop_;
  model::ModelsOptions models_;
  RoutingOptions routing_;
  std::map<std::string, absl::Status> errors_;
  std::vector<std::string> asked_;
  std::map<std::string, ScriptedModel*> made_;
  std::unique_ptr<Router> router_;
};

TEST_F(RouterTest, WithNothingConfiguredTheReflexAnswers) {
  ASSERT_TRUE(Make().ok());
  EXPECT_TRUE(router_->only_reflex());
  EXPECT_EQ(Name(""), "reflex/reflex");
}

TEST_F(RouterTest, ResolvesNamesAliasesAndUniqueIds) {
  AddProvider("a", {"one", "both"});
  AddProvider("b", {"two", "both"});
  models_.catalog["b/two"] = {.alias = "fast", .weight = 10};
  ASSERT_TRUE(Make().ok());
  EXPECT_EQ(Name("a/one"), "a/one");
  EXPECT_EQ(Name("fast"), "b/two");
  EXPECT_EQ(Name("two"), "b/two");
  EXPECT_EQ(Name("a/unlisted"), "a/unlisted");
  EXPECT_THAT(Name("both"), HasSubstr("both"));
  EXPECT_EQ(ReasonOf(router_->Resolve("both").status()), ErrorReason::kUnknownModel);
  EXPECT_THAT(Name("fats"), HasSubstr("did you mean 'fast'"));
  EXPECT_THAT(Name("nowhere/x"), HasSubstr("unknown model 'nowhere/x'"));
}

TEST_F(RouterTest, TheDefaultIsThePrimaryElseTheHighestWeight) {
  AddProvider("a", {"one"});
  AddProvider("b", {"two"});
  models_.catalog["a/one"] = {.alias = "", .weight = 5};
  models_.catalog["b/two"] = {.alias = "", .weight = 50};
  ASSERT_TRUE(Make().ok());
  EXPECT_EQ(Name(""), "b/two");
  EXPECT_EQ(router_->List().front().name(), "b/two");
  routing_.primary = "a/one";
  ASSERT_TRUE(Make().ok());
  EXPECT_EQ(Name(""), "a/one");
}

TEST_F(RouterTest, ConfigurationErrorsNameTheKey) {
  AddProvider("a", {"one"});
  routing_.primary = "b/x";
  EXPECT_THAT(std::string(Message(Make())), HasSubstr("routing.primary"));
  routing_.primary = "";
  routing_.fallbacks = {"b/x"};
  EXPECT_THAT(std::string(Message(Make())), HasSubstr("routing.fallbacks"));
  routing_.fallbacks = {};
  models_.catalog["b/x"] = {};
  EXPECT_THAT(std::string(Message(Make())), HasSubstr("models.catalog"));
}

TEST_F(RouterTest, FailsOverForWhatAnotherModelCanCure) {
  AddProvider("a", {"one"});
  AddProvider("b", {"two"});
  AddProvider("c", {"three"});
  routing_.fallbacks = {"a/one", "b/two", "c/three"};
  ASSERT_TRUE(Make().ok());
  for (ErrorReason reason : {ErrorReason::kAuth, ErrorReason::kQuota, ErrorReason::kRateLimited,
                             ErrorReason::kOverloaded, ErrorReason::kTransport}) {
    asked_.clear();
    errors_ = {{"a", Refused(reason)}, {"b", Refused(reason)}};
    auto answer = Ask("a/one");
    ASSERT_TRUE(answer.ok()) << StatusText(answer.status());
    EXPECT_EQ(answer->route.name(), "c/three");
    EXPECT_EQ(answer->failed_over.size(), 2u);
    EXPECT_THAT(asked_, ElementsAre("a/one", "b/two", "c/three"));
  }
}

TEST_F(RouterTest, DoesNotFailOverForTheRequestsOwnFaults) {
  AddProvider("a", {"one"});
  AddProvider("b", {"two"});
  routing_.fallbacks = {"b/two"};
  ASSERT_TRUE(Make().ok());
  for (ErrorReason reason : {ErrorReason::kBadRequest, ErrorReason::kContentFiltered}) {
    asked_.clear();
    errors_ = {{"a", Refused(reason)}};
    EXPECT_EQ(ReasonOf(Ask("a/one").status()), reason);
    EXPECT_THAT(asked_, ElementsAre("a/one"));
  }
}

TEST_F(RouterTest, NeverFailsOverAfterTheCallerHasSeenText) {
  AddProvider("a", {"one"});
  AddProvider("b", {"two"});
  routing_.fallbacks = {"b/two"};
  ASSERT_TRUE(Make().ok());
  made_["a"]->speaks = true;
  errors_ = {{"a", Refused(ErrorReason::kTransport)}};
  NullSink sink;
  EXPECT_FALSE(Ask("a/one", &sink).ok());
  EXPECT_THAT(asked_, ElementsAre("a/one"));
}

TEST_F(RouterTest, TheModelsOutputLimitIsAskedFor) {
  AddProvider("a", {"one"});
  ASSERT_TRUE(Make().ok());
  ASSERT_TRUE(Ask("a/one").ok());
  EXPECT_EQ(made_["a"]->tokens, 77);
}

}  // namespace
}  // namespace talon::router
