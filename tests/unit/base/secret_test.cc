// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "base/json.h"

namespace talon {
namespace {

TEST(Redactor, LeavesTextAloneWithoutValues) {
  Redactor redactor;
  EXPECT_EQ(redactor.Redact("password hunter2"), "password hunter2");
  EXPECT_EQ(redactor.Redact(""), "");
}

TEST(Redactor, ReplacesEveryOccurrence) {
  Redactor redactor;
  redactor.Register(Secret("sk-abcdef"));
  redactor.Register(Secret("sk-abcdef"));
  EXPECT_EQ(redactor.Redact("sk-abcdef and sk-abcdef!"), "[redacted] and [redacted]!");
  EXPECT_EQ(redactor.Redact("sk-abcde"), "sk-abcde");
}

TEST(Redactor, IgnoresValuesThatWouldBlankOrdinaryWords) {
  Redactor redactor;
  redactor.Register(Secret(""));
  redactor.Register(Secret("hello"));
  EXPECT_EQ(redactor.Redact("hello"), "hello");
}

TEST(Redactor, ValueInsideAnotherLeavesNoRest) {
  Redactor redactor;
  redactor.Register(Secret("secret"));
  redactor.Register(Secret("topsecretkey"));
  EXPECT_EQ(redactor.Redact("topsecretkey secret"), "[redacted] [redacted]");
}

TEST(Redactor, OverlappingValuesLeaveNoRest) {
  Redactor redactor;
  redactor.Register(Secret("abcdefgh"));
  redactor.Register(Secret("efghijkl"));
  EXPECT_EQ(redactor.Redact("-abcdefghijkl-"), "-[redacted]-");
  Redactor repeated;
  repeated.Register(Secret("abcabc"));
  EXPECT_EQ(repeated.Redact("abcabcabc"), "[redacted]");
}

TEST(Redactor, ValueThatLooksLikeTheMarkIsHarmless) {
  Redactor redactor;
  redactor.Register(Secret("redacted"));
  redactor.Register(Secret("sk-abcdef"));
  EXPECT_EQ(redactor.Redact("sk-abcdef"), "[redacted]");
}

TEST(Redactor, FindsAValueThatJsonEscaped) {
  Redactor redactor;
  redactor.Register(Secret("pass\"word\n1"));
  std::string json;
  AppendJsonString(json, "is pass\"word\n1.");
  EXPECT_EQ(redactor.Redact(json), "\"is [redacted].\"");
}

TEST(Redactor, RegistersWhileOthersRedact) {
  Redactor redactor;
  redactor.Register(Secret("first-value"));
  std::thread reader([&] {
    for (int i = 0; i < 500; ++i) {
      EXPECT_EQ(redactor.Redact("x first-value y"), "x [redacted] y");
    }
  });
  for (int i = 0; i < 200; ++i) redactor.Register(Secret("other-value-" + std::to_string(i)));
  reader.join();
  EXPECT_EQ(redactor.Redact("other-value-199"), "[redacted]");
}

}  // namespace
}  // namespace talon
