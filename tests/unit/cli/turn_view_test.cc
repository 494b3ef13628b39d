// SPDX-License-Identifier: Apache-2.0
#include "cli/turn_view.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace talon::cli {
namespace {

struct Shown {
  std::string out, err;
};

// A turn whose daemon went away after `before`, and whose text is told again as `after`.
Shown Interrupted(bool quiet, const std::string& before, const std::string& after) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  TurnView view(false, quiet);
  view.OnEvent("turn_start", {{"turn", "t1"}});
  if (!before.empty()) view.OnEvent("text_delta", {{"text", before}});
  view.OnEvent("connection_lost", Json::object());
  view.OnEvent("reconnected", {{"embedded", true}});
  view.OnEvent("turn_start", {{"turn", "t1"}});
  view.OnEvent("text_delta", {{"text", after}});
  view.OnEvent("text_delta", {{"text", "!"}});
  view.OnEvent("done", {{"text", after + "!"}});
  view.Finish();
  return {::testing::internal::GetCapturedStdout(), ::testing::internal::GetCapturedStderr()};
}

// What reads the answer must find it as if nothing had happened.
TEST(TurnView, QuietAddsOnlyWhatIsMissing) {
  const Shown shown = Interrupted(true, "one two", "one two three");
  EXPECT_EQ(shown.out, "one two three!\n");
  EXPECT_NE(shown.err.find("the daemon went away"), std::string::npos);
  EXPECT_EQ(Interrupted(true, "", "one").out, "one!\n");
}

TEST(TurnView, AnotherTextStandsOnItsOwnLine) {
  EXPECT_EQ(Interrupted(true, "one two", "1 2 3").out, "one two\n1 2 3!\n");
}

TEST(TurnView, APersonSeesTheWholeTextAfterTheNote) {
  const Shown shown = Interrupted(false, "one two", "one two three");
  EXPECT_EQ(shown.out,
            "one two\n(the daemon went away; looking for another)\n"
            "(the daemon runs inside this command now; waiting for the answer)\n"
            "one two three!\n");
  EXPECT_EQ(shown.err, "");
}

}  // namespace
}  // namespace talon::cli
