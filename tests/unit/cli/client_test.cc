// SPDX-License-Identifier: Apache-2.0
// The client with a daemon inside this process: two loops, two threads, one redactor and one log.
#include "cli/client.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/log.h"
#include "io/loop.h"
#include "tests/support/temp_folder.h"

namespace talon::cli {
namespace {

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    // What the daemon's thread reads of the environment stands before there is one.
    ::setenv("TALON_HOME", home_.path().c_str(), 1);
    ::setenv("TALON_PLUGIN_DIR", (home_ / "none").c_str(), 1);
  }

  static std::string Ask(Client& client, std::string message) {
    std::string answer;
    const absl::Status status = client.loop().RunUntilDone(
        client.RunTurn({.message = std::move(message), .session = "s", .model = "", .task = false},
                       [&](std::string_view event, const Json& data) {
                         if (event == "done") answer = JsonString(data, "text");
                       },
                       {}));
    EXPECT_TRUE(status.ok()) << status;
    return answer;
  }

  test::TempFolder home_;
};

TEST_F(ClientTest, TwoLoopsRunSideBySide) {
  auto client = Client::Connect();
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_TRUE((*client)->embedded());
  for (int i = 0; i < 20; ++i) {
    EXPECT_NE(Ask(**client, fmt::format("what is 6 * {}?", i)).find(std::to_string(6 * i)),
              std::string::npos);
    log::Error("the other thread logs as well", {{"round", i}});
  }
  const auto refused = (*client)->Call("GET", "/v1/sessions/none");
  EXPECT_TRUE(absl::IsNotFound(refused.status())) << refused.status();
}

TEST_F(ClientTest, OneTakesOverFromAnother) {
  auto first = Client::Connect();
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = Client::Connect();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_FALSE((*second)->embedded());
  EXPECT_NE(Ask(**second, "what is 6 * 7?").find("42"), std::string::npos);
  *first = nullptr;
  // What only reads, and a turn, go on with a daemon of its own.
  EXPECT_TRUE((*second)->Call("GET", "/v1/status").ok());
  EXPECT_TRUE((*second)->embedded());
  EXPECT_NE(Ask(**second, "what is 6 * 8?").find("48"), std::string::npos);
}

TEST_F(ClientTest, WhatActsIsNotAskedTwice) {
  auto first = Client::Connect();
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = Client::Connect();
  ASSERT_TRUE(second.ok()) << second.status();
  *first = nullptr;
  const auto answer = (*second)->Call("POST", "/v1/plugins/none/restart");
  EXPECT_TRUE(IsLost(answer.status())) << answer.status();
  EXPECT_EQ(answer.status().message(), "the daemon went away before it answered");
}

}  // namespace
}  // namespace talon::cli
