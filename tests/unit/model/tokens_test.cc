// SPDX-License-Identifier: Apache-2.0
#include "model/tokens.h"

#include <gtest/gtest.h>

namespace talon::model {
namespace {

double BytesPerToken(std::string_view text) {
  std::string repeated;
  for (int i = 0; i < 50; ++i) repeated += text;
  TokenEstimator estimator;
  return static_cast<double>(repeated.size()) /
         static_cast<double>(estimator.EstimateText(Wire::kOpenAi, "m", repeated));
}

TEST(TokenEstimatorTest, KindsOfTextHaveTheirDensity) {
  EXPECT_NEAR(BytesPerToken("The quick brown fox jumps over the lazy dog, and then it sleeps. "),
              4.3, 0.4);
  EXPECT_NEAR(BytesPerToken(R"({"path":"/tmp/file.txt","limit":20,"recursive":true},)"), 3.0, 0.4);
  EXPECT_NEAR(BytesPerToken("быстрая коричневая лиса "), 4.0, 0.6);
  EXPECT_NEAR(BytesPerToken("敏捷的棕色狐狸跳过懒狗"), 3.5, 0.4);
}

TEST(TokenEstimatorTest, CountsEverythingARequestCarries) {
  TokenEstimator estimator;
  ChatRequest request;
  request.model = "m";
  std::int64_t last = estimator.Estimate(Wire::kOpenAi, request);
  auto grew = [&] {
    std::int64_t now = estimator.Estimate(Wire::kOpenAi, request);
    return now > std::exchange(last, now);
  };
  request.system = "You are an agent.";
  EXPECT_TRUE(grew());
  request.messages.push_back(TextMessage(Role::kUser, "Hello", Integrity::kUser));
  EXPECT_TRUE(grew());
  request.messages[0].parts.push_back(ImagePart{.url = "x"});
  EXPECT_TRUE(grew());
  request.messages[0].parts.push_back(ToolCall{"1", "read", "{\"a\":1}", ""});
  EXPECT_TRUE(grew());
  request.messages[0].parts.push_back(ToolResult{"1", "read", "some text", false});
  EXPECT_TRUE(grew());
  request.tools.push_back({"read", "Reads a file.", R"({"type":"object"})"});
  EXPECT_TRUE(grew());
}

TEST(TokenEstimatorTest, LearnsWithinBounds) {
  TokenEstimator estimator;
  std::string text(10'000, 'a');
  std::int64_t plain = estimator.EstimateText(Wire::kOpenAi, "m", text);
  for (int i = 0; i < 60; ++i) {
    std::int64_t estimated = estimator.EstimateText(Wire::kOpenAi, "m", text);
    estimator.Learn("m", estimated, plain * 3 / 2);
  }
  EXPECT_NEAR(static_cast<double>(estimator.EstimateText(Wire::kOpenAi, "m", text)),
              static_cast<double>(plain) * 1.5, 5);
  EXPECT_EQ(estimator.EstimateText(Wire::kOpenAi, "other", text), plain);
  for (int i = 0; i < 60; ++i) estimator.Learn("m", 1000, 1'000'000);
  EXPECT_LE(estimator.EstimateText(Wire::kOpenAi, "m", text), plain * 2 + 1);
  for (int i = 0; i < 60; ++i) estimator.Learn("m", 1'000'000, 1);
  EXPECT_GE(estimator.EstimateText(Wire::kOpenAi, "m", text), plain * 7 / 10 - 1);
}

TEST(TokenEstimatorTest, IgnoresSmallAndAbsurdRequests) {
  TokenEstimator estimator;
  std::string text(10'000, 'a');
  std::int64_t plain = estimator.EstimateText(Wire::kOpenAi, "m", text);
  estimator.Learn("m", 5, 50);
  estimator.Learn("m", 1000, 0);
  estimator.Learn("m", -1, -1);
  for (int i = 0; i < 5000; ++i) estimator.Learn("x" + std::to_string(i), 1000, 1500);
  EXPECT_EQ(estimator.EstimateText(Wire::kOpenAi, "m", text), plain);
}

}  // namespace
}  // namespace talon::model
