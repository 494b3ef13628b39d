// SPDX-License-Identifier: Apache-2.0
#include "plugin/opentalon.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "plugin/contract.h"
#include "plugin/h2/wire.h"
#include "plugin/opentalon_messages.h"

namespace talon::plugin {
namespace {

constexpr std::string_view kInit = "/opentalon.plugin.v1.PluginService/Init";
constexpr std::string_view kCapabilities = "/opentalon.plugin.v1.PluginService/Capabilities";
constexpr std::string_view kRefresh = "/opentalon.plugin.v1.PluginService/RefreshCapabilities";
constexpr std::string_view kExecute = "/opentalon.plugin.v1.PluginService/Execute";
constexpr std::string_view kExecuteBidi = "/opentalon.plugin.v1.PluginService/ExecuteBidi";
constexpr std::string_view kCallbackRefused =
    "refused by policy: a plugin may not call other plugins";

using Bytes = absl::StatusOr<std::string>;

struct State {
  // Null once the transport is gone; calls under way have ended then.
  std::unique_ptr<PluginTransport> wire;
  const std::string config_json;
  bool introduced = false;  // Init was answered
  OpenTalonPlugin plugin;   // as last told
};
using Shared = std::shared_ptr<State>;

io::Task<Bytes> Ask(Shared state, std::string_view method, std::string request,
                    CallContext context) {
  if (state->wire == nullptr) co_return Unavailable("the connection was closed");
  co_return co_await state->wire->Call(method, std::move(request), std::move(context));
}

io::Task<Bytes> Describe(Shared state, CallContext context) {
  const bool again = state->introduced;
  if (!again) {
    const auto init = co_await Ask(state, kInit, MakeInit(state->config_json), context);
    // Older plugins have none.
    if (!init.ok() && !absl::IsUnimplemented(init.status())) {
      co_return Annotate(init.status(), "init");
    }
    state->introduced = true;
  }
  auto told = co_await Ask(state, again ? kRefresh : kCapabilities, "", context);
  if (again && absl::IsUnimplemented(told.status())) {
    told = co_await Ask(state, kCapabilities, "", context);
  }
  if (!told.ok()) co_return Annotate(told.status(), "capabilities");
  TALON_CO_ASSIGN_OR_RETURN(state->plugin, ReadCapabilities(*told));
  co_return state->plugin.manifest;
}

// For plugins that call back during a call. One coroutine reads and writes: answers never overlap
// on the stream.
io::Task<Bytes> Converse(Shared state, std::string tool_call, CallContext context) {
  if (state->wire == nullptr) co_return Unavailable("the connection was closed");
  TALON_CO_ASSIGN_OR_RETURN(const auto stream, state->wire->Open(kExecuteBidi, std::move(context)));
  absl::Status written = co_await stream->Write(MakeFirstHostMessage(tool_call));
  while (true) {
    TALON_CO_ASSIGN_OR_RETURN(const auto message, co_await stream->Read());
    if (!message) co_return h2::Misbehaved("the call ended without a result");
    TALON_CO_ASSIGN_OR_RETURN(OpenTalonSays says, ReadPluginMessage(*message));
    if (says.execute_response) {
      stream->CloseWrites();
      co_return *std::move(says.execute_response);
    }
    if (!written.ok()) continue;  // the peer takes no more; how it ends is still to be read
    log::Debug("callback of a plugin is refused",
               {{"plugin", state->plugin.name}, {"callback", h2::CleanText(says.callback, 200)}});
    written = co_await stream->Write(RefuseCallback(*says.callback_id, kCallbackRefused));
  }
}

io::Task<Bytes> Execute(Shared state, std::string request, CallContext context) {
  TALON_CO_ASSIGN_OR_RETURN(std::string call, MakeToolCall(state->plugin, request));
  if (state->plugin.callbacks) {
    co_return co_await Converse(state, std::move(call), std::move(context));
  }
  TALON_CO_ASSIGN_OR_RETURN(const std::string result,
                            co_await Ask(state, kExecute, std::move(call), std::move(context)));
  co_return MakeExecuteResponse(result);
}

io::Task<Bytes> Configure(std::string request) {
  if (CountCredentials(request) > 0) {
    co_return InvalidArgument(
        "an OpenTalon plugin takes no credentials; give them in its `config:` or `env:`");
  }
  co_return std::string();
}

io::Task<Bytes> Unknown(std::string method) {
  co_return absl::UnimplementedError(fmt::format("{} is not part of OpenTalon's contract", method));
}

class OpenTalonTransport : public PluginTransport {
 public:
  OpenTalonTransport(std::unique_ptr<PluginTransport> wire, std::string config_json)
      : state_(std::make_shared<State>(std::move(wire), std::move(config_json))) {}
  ~OpenTalonTransport() override { state_->wire.reset(); }

  io::Task<Bytes> Call(std::string_view method, std::string request, CallContext context) override {
    if (method == kDescribeMethod) return Describe(state_, std::move(context));
    if (method == kConfigureMethod) return Configure(std::move(request));
    if (method == kExecuteMethod) return Execute(state_, std::move(request), std::move(context));
    return Unknown(std::string(method));
  }
  absl::StatusOr<std::unique_ptr<PluginStream>> Open(std::string_view method,
                                                     CallContext) override {
    return absl::UnimplementedError(fmt::format("{} is not part of OpenTalon's contract", method));
  }
  bool alive() const override { return state_->wire->alive(); }
  std::size_t calls_in_flight() const override { return state_->wire->calls_in_flight(); }
  void OnClosed(absl::AnyInvocable<void()> callback) override {
    state_->wire->OnClosed(std::move(callback));
  }

 private:
  const Shared state_;  // shared with the calls under way
};

}  // namespace

std::unique_ptr<PluginTransport> TranslateOpenTalon(std::unique_ptr<PluginTransport> wire,
                                                    std::string config_json) {
  return std::make_unique<OpenTalonTransport>(std::move(wire), std::move(config_json));
}

}  // namespace talon::plugin
