// SPDX-License-Identifier: Apache-2.0
// Runs a plugin inside a test: the same checks and the same path to the handler as in a process,
// without socket and gRPC. Calls may be made from several threads once Configure has returned.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "talon/sdk/plugin.h"

namespace talon::sdk {

struct TestCall {
  std::chrono::milliseconds deadline{0};  // 0 = none
  std::shared_ptr<CancelFlag> cancel;     // may be empty
  std::string idempotency_key;
  // What the tool tells and asks; without `on_question` nobody is there to answer. On the thread
  // that calls.
  std::function<void(std::string_view text, double done, double total)> on_progress = {};
  std::function<Answer(const Question& question)> on_question = {};
};

class PluginHarness {
 public:
  explicit PluginHarness(std::unique_ptr<Plugin> plugin);
  ~PluginHarness();

  absl::Status Configure(std::string_view config_json, Folders folders = {});
  // Errors are what the daemon would see as a gRPC status; a tool that says no answers a Result
  // with `error`.
  absl::StatusOr<Result> Execute(std::string_view tool, std::string_view arguments_json,
                                 const TestCall& call = {});
  // The extension point `Point` of the plugin (Storage, Hook …); null when it is none. Call it
  // after Configure: harness.As<Storage>()->Get("space", "key", TestInfo()).
  template <class Point>
  Point* As() {
    return dynamic_cast<Point*>(&plugin());
  }
  // What `--manifest` prints.
  std::string ManifestJson() const;

 private:
  Plugin& plugin();
  struct State;
  std::unique_ptr<State> state_;
};

// A call with neither deadline nor cancellation.
inline CallInfo TestInfo() {
  return {std::make_shared<CancelFlag>(), CallInfo::Clock::time_point::max()};
}

}  // namespace talon::sdk
