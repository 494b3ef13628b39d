// SPDX-License-Identifier: Apache-2.0
// A stock HashiCorp go-plugin that serves talon.v1, in the host.
#include "tests/interop/host_rig.h"

namespace talon::plugin {
namespace {

class GoPluginTest : public HostRig {
 protected:
  void SetUp() override {
    if (!MissingGo().empty()) GTEST_SKIP() << MissingGo();
    entry_.plugin = TALON_GO_PEERS "/talon_plugin";
    entry_.protocol = Protocol::kGoPlugin;
    entry_.cookie = {{"INTEROP_COOKIE", "interop"}};
  }
};

TEST_F(GoPluginTest, RunsPlainAndWithAutoMtls) {
  for (const Mtls mtls : {Mtls::kAuto, Mtls::kRequired}) {
    entry_.mtls = mtls;
    Load();
    EXPECT_EQ(Content("echo", R"({"text":"naïve"})"), R"({"text":"naïve"})");
    StopHost();
  }
}

TEST_F(GoPluginTest, WhatItPrintsIsReadAndDoesNotBlockIt) {
  Load();
  EXPECT_EQ(Content("print"), "{}");
  EXPECT_EQ(Content("print"), "{}");
}

TEST_F(GoPluginTest, TheProtocolIsFoundOut) {
  entry_.protocol = Protocol::kAuto;
  entry_.protocol_versions = {2, 1};
  Load();
  EXPECT_EQ(Content("print"), "{}");
  const auto begin = clock_.SteadyNow();
  StopHost();
  // Asked by its own method: it does not wait for a signal.
  EXPECT_LT(clock_.SteadyNow() - begin, options_.stop_grace);
}

TEST_F(GoPluginTest, WithoutItsCookieItSaysWhatItIs) {
  entry_.cookie.clear();
  Load();
  EXPECT_NE(LastError().find("This binary is a plugin"), std::string::npos) << LastError();
}

TEST_F(GoPluginTest, AnotherVersionIsRefused) {
  entry_.protocol_versions = {7};
  Load();
  EXPECT_NE(LastError().find("version"), std::string::npos) << LastError();
}

TEST_F(GoPluginTest, APluginWithoutTlsIsNotTakenWhenItIsRequired) {
  if (!MissingPython().empty()) GTEST_SKIP() << MissingPython();
  entry_.plugin = "/usr/bin/python3";
  entry_.args = {TALON_PYTHON_PEERS "/talon_peer.py"};
  AddPythonStubs(entry_.env);
  entry_.mtls = Mtls::kRequired;
  Load();
  EXPECT_NE(LastError().find("no certificate"), std::string::npos) << LastError();
}

}  // namespace
}  // namespace talon::plugin
