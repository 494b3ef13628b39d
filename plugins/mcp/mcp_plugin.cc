// SPDX-License-Identifier: Apache-2.0
#include "mcp/mcp_plugin.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <thread>
#include <vector>

#include "mcp/config.h"
#include "mcp/sdk_caller.h"
#include "mcp/server.h"
#include "talon/sdk/log.h"

namespace talon::plugins {
namespace {

using mcp::Clock;
using mcp::Json;
using mcp::Offer;
using std::chrono::milliseconds;

constexpr milliseconds kDefaultWait{8'000};
constexpr milliseconds kMaxWait{600'000};
constexpr std::size_t kMaxTools = 127;  // the daemon takes 128 of one plugin, with `status`
constexpr int kCallTimeouts = 10;       // a call may take this many times its server's timeout
constexpr milliseconds kMaxCall{3'600'000};

sdk::PluginInfo Info() {
  return {.name = "mcp",
          .version = "1.0.0",
          .description = "Tools, resources and prompts of MCP servers.",
          .config = sdk::Schema::FromJson(R"({"type":"object"})"),  // read by ParseServers
          .needs = {.network = sdk::Network::kOutbound,
                    .workspace = sdk::Access::kWrite,
                    .memory_bytes = std::uint64_t{4} << 30,
                    .processes = 512},
          .dynamic = true,
          .watch = true};
}

class McpPlugin : public sdk::Plugin {
 public:
  McpPlugin() : Plugin(Info()) {}

  ~McpPlugin() override {
    // All at once: each may take its time to end.
    std::vector<std::thread> ends;
    for (const auto& server : servers_) ends.emplace_back([&server] { server->Stop(); });
    for (std::thread& end : ends) end.join();
  }

  absl::Status Configure(const sdk::Args& config, const sdk::Folders& folders) override {
    for (const auto& [key, value] : config.json().items()) {
      if (key != "servers" && key != "mcpServers" && key != "wait_ms") {
        return absl::InvalidArgumentError(
            fmt::format("option '{}' is not known; known are: servers, mcpServers, wait_ms", key));
      }
    }
    const milliseconds wait(config.Int("wait_ms", kDefaultWait.count()));
    if (wait.count() < 0 || wait > kMaxWait) {
      return absl::InvalidArgumentError(fmt::format("wait_ms must be 0 to {}", kMaxWait.count()));
    }
    auto servers = mcp::ParseServers(config.json(), folders.credentials);
    if (!servers.ok()) return servers.status();
    if (servers->empty()) return absl::OkStatus();
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
      return absl::InternalError("libcurl cannot be initialised");
    }
    for (mcp::ServerConfig& server : *servers) {
      servers_.push_back(std::make_unique<mcp::Server>(
          std::move(server), mcp::ServerPlace{folders.workspace, folders.data},
          [this] { Offered(); }));
    }
    for (const auto& server : servers_) server->Start();
    const auto deadline = Clock::now() + wait;
    for (const auto& server : servers_) server->WaitOffered(deadline);
    Offered();
    return absl::OkStatus();
  }

 private:
  // Puts what the servers offer now into the plugin's tools.
  void Offered() {
    const std::lock_guard lock(mutex_);  // the last to look is the last to set
    std::vector<sdk::Tool> tools = {Status()};
    if (std::any_of(servers_.begin(), servers_.end(), [](const auto& server) {
          return server->config().oauth.grant == mcp::OAuthConfig::Grant::kConsent;
        })) {
      tools.push_back(SignIn());
    }
    std::size_t dropped = 0;
    for (const auto& server : servers_) {
      for (Offer& offer : server->offers()) {
        if (tools.size() > kMaxTools) {
          ++dropped;
          continue;
        }
        tools.push_back(MakeTool(*server, std::move(offer)));
      }
    }
    if (dropped > 0) {
      sdk::Log(
          sdk::LogLevel::kWarn,
          fmt::format("{} tools more than the {} a plugin may have are not offered; choose with "
                      "`tools.include` and `tools.exclude`",
                      dropped, kMaxTools));
    }
    if (const absl::Status status = SetTools(std::move(tools)); !status.ok()) {
      sdk::Log(sdk::LogLevel::kError,
               fmt::format("the tools stay as they were: {}", mcp::Why(status)));
    }
  }

  static sdk::Tool MakeTool(mcp::Server& server, Offer offer) {
    sdk::Tool tool{.name = offer.name,
                   .description = offer.description,
                   .schema = sdk::Schema::FromJson(mcp::Dump(offer.schema)),
                   .effect = offer.effect,
                   .read_only = offer.read_only,
                   .sink_arguments = offer.sinks};
    tool.timeout = std::min(server.config().timeout * kCallTimeouts, kMaxCall);
    const bool list =
        offer.kind == Offer::Kind::kListResources || offer.kind == Offer::Kind::kListPrompts;
    tool.streams = tool.asks = !list;
    tool.handler = [&server, offer = std::move(offer)](const sdk::Args& args,
                                                       const sdk::CallInfo& call) {
      mcp::SdkCaller caller(call, server.config().context_headers);
      return server.Call(offer, args.json(), caller);
    };
    return tool;
  }

  sdk::Tool SignIn() {
    return {.name = "sign_in",
            .description =
                "Signs in at an MCP server: gives the page to open, then takes the "
                "address where the browser ended.",
            .schema =
                sdk::Object().Required("server", sdk::String()).Optional("address", sdk::String()),
            .effect = sdk::Effect::kAdmin,
            .user_only = true,
            .handler = [this](const sdk::Args& args, const sdk::CallInfo& call) {
              const std::string name = args.String("server");
              for (const auto& server : servers_) {
                if (server->config().name != name) continue;
                mcp::SdkCaller caller(call, server->config().context_headers);
                return server->SignIn(args.String("address"), caller);
              }
              return sdk::Result::Error(fmt::format("there is no server '{}'", name));
            }};
  }

  sdk::Tool Status() {
    return {.name = "status",
            .description = "State of the MCP servers.",
            .schema = sdk::Object(),
            .effect = sdk::Effect::kRead,
            .read_only = true,
            .user_only = true,
            .handler = [this](const sdk::Args&, const sdk::CallInfo&) {
              std::string text;
              Json all = Json::array();
              for (const auto& server : servers_) {
                const mcp::Server::State state = server->state();
                text += fmt::format("{}: {}", state.name, state.condition);
                if (!state.protocol.empty()) {
                  text += fmt::format(", revision {}, {}", state.protocol, state.about);
                }
                text += fmt::format(", {} tools", state.tools);
                if (state.restarts > 0) text += fmt::format(", {} reconnections", state.restarts);
                if (!state.error.empty()) text += fmt::format(": {}", state.error);
                text += '\n';
                all.push_back({{"name", state.name},
                               {"condition", state.condition},
                               {"protocol", state.protocol},
                               {"tools", state.tools},
                               {"reconnections", state.restarts},
                               {"error", state.error}});
              }
              sdk::Result result = sdk::Result::Text(std::move(text));
              result.structured_json = mcp::Dump(all);
              return result;
            }};
  }

  std::vector<std::unique_ptr<mcp::Server>> servers_;  // set by Configure, before any handler
  std::mutex mutex_;                                   // one SetTools at a time
};

}  // namespace

std::unique_ptr<sdk::Plugin> MakeMcpPlugin() {
  return std::make_unique<McpPlugin>();
}

}  // namespace talon::plugins
