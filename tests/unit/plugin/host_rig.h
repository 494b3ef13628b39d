// SPDX-License-Identifier: Apache-2.0
// A host with the test plugin as `t`, in folders that go with the test.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "base/status.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "plugin/host.h"
#include "tests/support/plugin_host_rig.h"

namespace talon::plugin {

using namespace std::chrono_literals;
using Output = absl::StatusOr<tool::ToolOutput>;

class HostTest : public PluginHostRig {
 public:
  HostTest() {
    entry_.plugin = TALON_TEST_PLUGIN;
    paths_.home = folder_ / "plugins";
    options_.backoff_base = 5ms;
    options_.stop_grace = 1s;
  }
  ~HostTest() override {
    if (host_ == nullptr) return;
    StopHost();
    std::error_code ignored;
    EXPECT_TRUE(std::filesystem::is_empty(paths_.run, ignored) || ignored) << "sockets are left";
  }

  void Load(std::map<std::string, PluginEntry> plugins) {
    host_ = MakeHost(loop_, clock_, catalogue_, paths_, options_, {credentials_, &redactor_});
    EXPECT_TRUE(loop_.RunUntilDone(host_->Load(std::move(plugins))).ok());
  }
  void Load() { Load({{"t", entry_}}); }
  void LoadWith(std::vector<std::string> args) {
    entry_.args = std::move(args);
    Load();
  }

  io::Task<Output> Start(const std::string& tool, Json arguments = Json::object(),
                         std::chrono::milliseconds time = 20s, CancelToken cancel = {}) {
    const tool::Entry* entry = catalogue_.Find("t__" + tool);
    TALON_CHECK(entry != nullptr);
    tool::Invocation invocation;
    invocation.call_id = "call_1";
    invocation.tool = "t__" + tool;
    invocation.arguments = arguments.dump();
    invocation.idempotency_key = "key_1";
    CallContext context;
    context.deadline = std::chrono::steady_clock::now() + time;
    context.cancel = cancel;
    return entry->tool->Execute(std::move(invocation), std::move(context));
  }
  Output Call(const std::string& tool, Json arguments = Json::object(),
              std::chrono::milliseconds time = 20s) {
    return loop_.RunUntilDone(Start(tool, std::move(arguments), time));
  }
  std::string Content(const std::string& tool, Json arguments = Json::object()) {
    const Output output = Call(tool, std::move(arguments));
    return output.ok() ? output->content : StatusText(output.status());
  }

  CredentialSource* credentials_ = nullptr;
  Redactor redactor_;
};

inline void ExpectText(const absl::Status& status, std::string_view text) {
  EXPECT_NE(Message(status).find(text), std::string_view::npos) << status;
}

inline bool Exists(long pid) {
  return kill(static_cast<pid_t>(pid), 0) == 0;
}

}  // namespace talon::plugin
