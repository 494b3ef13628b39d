// SPDX-License-Identifier: Apache-2.0
// A tool that does what the test wrote down and remembers its calls.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/agent/fake_chat_model.h"
#include "tool/tool.h"

namespace talon::agent {

// What tools have done to the world: it outlives every process.
struct World {
  std::vector<tool::Invocation> calls;  // begun
  std::map<std::string, int> effects;   // by idempotency key
  Counter begun;
  int running = 0, most_running = 0;
  int effect_count() const {
    int count = 0;
    for (const auto& [key, times] : effects) count += times;
    return count;
  }
};

class FakeTool : public tool::Tool {
 public:
  using Output = absl::StatusOr<tool::ToolOutput>;
  using Body = std::function<io::Task<Output>(tool::Invocation, CallContext)>;

  FakeTool(World& world, tool::ToolSpec spec, Body body)
      : world_(world), spec_(std::move(spec)), body_(std::move(body)) {}
  const tool::ToolSpec& spec() const override { return spec_; }
  io::Task<Output> Execute(tool::Invocation invocation, CallContext context) override {
    world_.calls.push_back(invocation);
    world_.most_running = std::max(world_.most_running, ++world_.running);
    world_.begun.Add();
    Output output = co_await body_(std::move(invocation), std::move(context));
    --world_.running;
    co_return output;
  }

 private:
  World& world_;
  tool::ToolSpec spec_;
  Body body_;
};

inline tool::ToolSpec ReadSpec(std::string name) {
  tool::ToolSpec spec;
  spec.name = std::move(name);
  spec.plugin = "test";
  spec.description = "Looks. It changes nothing.";
  spec.schema = R"({"type":"object","properties":{"q":{"type":"string"}}})";
  spec.effect = tool::EffectClass::kRead;
  spec.read_only = true;
  return spec;
}

inline tool::ToolSpec WriteSpec(std::string name, bool idempotent = false) {
  tool::ToolSpec spec = ReadSpec(std::move(name));
  spec.description = "Changes something.";
  spec.effect = tool::EffectClass::kWrite;
  spec.read_only = false;
  spec.idempotent = idempotent;
  return spec;
}

inline tool::ToolOutput Gives(const tool::Invocation& invocation, std::string content) {
  return {
      .call_id = invocation.call_id, .content = std::move(content), .structured = "", .error = ""};
}

}  // namespace talon::agent
