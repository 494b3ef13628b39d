// SPDX-License-Identifier: Apache-2.0
#include "talon/sdk/testing.h"

#include <algorithm>

#include "dispatcher.h"
#include "talon/sdk/serve.h"

namespace talon::sdk {

namespace {

// Goes the way of a real call: by what the manifest says of the tool.
class TestChannel : public CallChannel {
 public:
  TestChannel(const Tool* tool, const TestCall& call) : tool_(tool), call_(call) {}
  void Progress(std::string_view text, double done, double total) override {
    const bool told = tool_ != nullptr && (tool_->streams || tool_->asks);
    if (told && call_.on_progress) call_.on_progress(text, done, total);
  }
  Answer Ask(const Question& question, const CallInfo& info) override {
    if (tool_ == nullptr || !tool_->asks) {
      return {.reason = "the tool does not declare that it asks (Tool::asks)"};
    }
    if (!call_.on_question || info.cancelled()) return {};
    return call_.on_question(question);
  }

 private:
  const Tool* const tool_;
  const TestCall call_;
};

}  // namespace

struct PluginHarness::State {
  explicit State(std::unique_ptr<Plugin> owned)
      : plugin(std::move(owned)), dispatcher(*plugin, ServeOptions().max_content_bytes) {}
  std::unique_ptr<Plugin> plugin;
  Dispatcher dispatcher;
};

PluginHarness::PluginHarness(std::unique_ptr<Plugin> plugin)
    : state_(std::make_unique<State>(std::move(plugin))) {}
PluginHarness::~PluginHarness() = default;

absl::Status PluginHarness::Configure(std::string_view config_json, Folders folders) {
  if (absl::Status status = state_->dispatcher.Validate(); !status.ok()) return status;
  v1::ConfigureRequest request;
  request.set_config_json(std::string(config_json));
  request.set_workspace(folders.workspace);
  request.set_data_directory(folders.data);
  request.mutable_credentials()->insert(folders.credentials.begin(), folders.credentials.end());
  return state_->dispatcher.Configure(request);
}

absl::StatusOr<Result> PluginHarness::Execute(std::string_view tool,
                                              std::string_view arguments_json,
                                              const TestCall& call) {
  v1::ExecuteRequest request;
  request.set_call_id("test");
  request.set_tool(std::string(tool));
  request.set_arguments_json(std::string(arguments_json));
  const auto deadline = call.deadline.count() > 0 ? CallInfo::Clock::now() + call.deadline
                                                  : CallInfo::Clock::time_point::max();
  const auto tools = state_->plugin->tools();
  const auto found =
      std::ranges::find_if(*tools, [&](const Tool& each) { return each.name == tool; });
  CallInfo info(call.cancel ? call.cancel : std::make_shared<CancelFlag>(), deadline,
                std::make_shared<TestChannel>(found == tools->end() ? nullptr : &*found, call));
  info.call_id = request.call_id();
  info.idempotency_key = call.idempotency_key;
  v1::ExecuteResponse response;
  const absl::Status status = state_->dispatcher.Execute(request, info, response);
  if (!status.ok()) return status;
  return Result{response.content(), response.structured_json(), response.error(),
                response.compensation_json()};
}

Plugin& PluginHarness::plugin() {
  return *state_->plugin;
}

std::string PluginHarness::ManifestJson() const {
  return sdk::ManifestJson(*state_->plugin);
}

}  // namespace talon::sdk
