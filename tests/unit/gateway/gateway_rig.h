// SPDX-License-Identifier: Apache-2.0
// The gateway on a free port of the loopback, before a real agent with a scripted model.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/gateway.h"
#include "io/http_client.h"
#include "io/sse.h"
#include "plugin/extension/extensions.h"
#include "tests/support/fakes/fake_plugin_host.h"
#include "tests/unit/agent/agent_rig.h"

namespace talon::gateway {

using agent::Answer;
using agent::Call;
using agent::Closed;
using agent::Says;

class GatewayTest : public agent::AgentTest {
 public:
  GatewayTest() {
    gateway_options.http.port = 0;
    gateway_options.token = Secret("the-token");
    client = io::MakeCurlClient(loop, {});
  }
  ~GatewayTest() override {
    if (gateway == nullptr) return;
    agent::AgentTest::loop.RunUntilDone([](GatewayTest* self) -> io::Task<int> {
      co_await self->agent->Stop(std::chrono::steady_clock::now());
      co_await self->gateway->Drain(std::chrono::steady_clock::now());
      co_return 0;
    }(this));
    gateway.reset();
  }
  void Serve() {
    Start();
    extensions = std::make_unique<plugin::Extensions>(loop, plugins, clock, ids, extension_options);
    auto made = Gateway::Create(
        gateway_options, {loop, clock, ids, *agent, *journal, *router, *catalogue, plugins, *guard,
                          "1.2.3", extensions.get(), nullptr, nullptr, &hooks});
    ASSERT_OK(made);
    gateway = *std::move(made);
    if (opens) gateway->Open();
  }

  io::HttpRequest Request(const std::string& method, const std::string& path,
                          std::string body = "") const {
    io::HttpRequest request;
    request.method = method;
    request.url = "http://127.0.0.1:" + std::to_string(gateway->port()) + path;
    request.headers.Set("Authorization", "Bearer the-token");
    if (!body.empty()) request.headers.Set("Content-Type", "application/json");
    request.body = std::move(body);
    return request;
  }
  io::HttpResponse Fetch(io::HttpRequest request) {
    auto response = Run(client->Fetch(std::move(request), {}));
    EXPECT_OK(response);
    return response.ok() ? *response : io::HttpResponse();
  }
  io::HttpResponse Get(const std::string& path) { return Fetch(Request("GET", path)); }
  io::HttpResponse Post(const std::string& path, std::string body) {
    return Fetch(Request("POST", path, std::move(body)));
  }
  static Json Parsed(const io::HttpResponse& response) {
    auto json = ParseJson(response.body, "answer");
    EXPECT_OK(json);
    return json.ok() ? *json : Json();
  }
  static std::vector<io::SseEvent> Events(const io::HttpResponse& response) {
    std::vector<io::SseEvent> events;
    io::SseParser parser;
    EXPECT_OK(parser.Feed(response.body, events));
    return events;
  }
  static std::string Chat(const std::string& text, const std::string& more = "") {
    return R"({"model":"talon","messages":[{"role":"user","content":")" + text + "\"}]" +
           (more.empty() ? "" : ",") + more + "}";
  }

  GatewayOptions gateway_options;
  test::FakePluginHost plugins;
  plugin::ExtensionOptions extension_options;
  std::unique_ptr<plugin::Extensions> extensions;
  std::unique_ptr<io::HttpClient> client;
  std::unique_ptr<Gateway> gateway;
  bool opens = true;  // at once
};

}  // namespace talon::gateway
