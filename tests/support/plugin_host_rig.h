// SPDX-License-Identifier: Apache-2.0
// A plugin host in folders that go with the test, and one entry, `t`, for it. Fixtures of several
// rooms add what they call and who listens.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "io/loop.h"
#include "plugin/host.h"
#include "tests/support/temp_folder.h"
#include "tool/catalogue.h"

namespace talon::plugin {

class PluginHostRig : public testing::Test {
 public:
  PluginHostRig() {
    paths_ = {.bundled = folder_ / "bundled",
              .run = folder_ / "r",
              .data = folder_ / "data",
              .cache = folder_ / "cache",
              .workspace = folder_ / "workspace"};
  }
  ~PluginHostRig() override { StopHost(); }

  void Run(io::Task<void> task) {
    (void)loop_.RunUntilDone([](io::Task<void> inner) -> io::Task<bool> {
      co_await std::move(inner);
      co_return true;
    }(std::move(task)));
  }
  void StopHost() {
    if (host_ == nullptr) return;
    Run(host_->Stop());
    host_ = nullptr;
  }
  PluginInfo Info() { return host_->List().at(0); }
  // Lets the loop run until `done`, or 10 s.
  bool Until(std::function<bool()> done) {
    return loop_.RunUntilDone([](io::Loop* loop, std::function<bool()> check) -> io::Task<bool> {
      for (int i = 0; i < 2000 && !check(); ++i) {
        (void)co_await loop->SleepUntil(
            std::chrono::steady_clock::now() + std::chrono::milliseconds(5), {});
      }
      co_return check();
    }(&loop_, std::move(done)));
  }

  io::Loop loop_;
  SystemClock clock_;
  test::TempFolder folder_{test::Where::kMemory};
  tool::Catalogue catalogue_;
  HostPaths paths_;
  HostOptions options_;
  PluginEntry entry_;
  std::unique_ptr<Host> host_;
};

}  // namespace talon::plugin
