// SPDX-License-Identifier: Apache-2.0
// One plugin in a host of its own, called as a model's tools are.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/check.h"
#include "base/status.h"
#include "io/loop.h"
#include "plugin/host.h"
#include "tests/interop/peers.h"
#include "tests/support/plugin_host_rig.h"

namespace talon::plugin {

class HostRig : public PluginHostRig {
 protected:
  HostRig() { entry_.start_timeout = std::chrono::seconds(20); }

  void Load() {
    host_ = MakeHost(loop_, clock_, catalogue_, paths_, options_);
    EXPECT_TRUE(loop_.RunUntilDone(host_->Load({{"t", entry_}})).ok());
  }
  // Of the one plugin: why it is not usable, or what went wrong last.
  std::string LastError() { return Info().last_error; }

  absl::StatusOr<tool::ToolOutput> Call(const std::string& tool, std::string arguments = "{}") {
    const tool::Entry* entry = catalogue_.Find("t__" + tool);
    if (entry == nullptr) return NotFound("no such tool; " + LastError());
    tool::Invocation invocation;
    invocation.call_id = "call_1";
    invocation.tool = "t__" + tool;
    invocation.arguments = std::move(arguments);
    invocation.session = SessionId("ses_1");
    return loop_.RunUntilDone(
        entry->tool->Execute(std::move(invocation), Within(std::chrono::seconds(20))));
  }
  std::string Content(const std::string& tool, std::string arguments = "{}") {
    const auto output = Call(tool, std::move(arguments));
    return output.ok() ? output->content : StatusText(output.status());
  }
};

}  // namespace talon::plugin
