// SPDX-License-Identifier: Apache-2.0
// The client that npm's @modelcontextprotocol/conformance runs against its scenario servers:
// mcp_conformance_client <url>, with MCP_CONFORMANCE_SCENARIO and MCP_CONFORMANCE_CONTEXT in the
// environment. It uses the mcp plugin's client as the plugin does and lets it do everything the
// server offers. Exit code 0 when all of that worked.
#include <curl/curl.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "mcp/client.h"
#include "mcp/http_wire.h"
#include "mcp/oauth.h"

namespace talon::plugins::mcp {
namespace {

// Accepts every question with nothing filled in, and opens every page as a browser would: where
// that led is the address it is asked for next.
class Willing : public Caller {
 public:
  Answer Ask(const Question& question) override {
    if (!question.url.empty()) Open(question.url);
    const bool address = question.schema_json.find("\"address\"") != std::string::npos;
    return {.action = Answer::Action::kAccept,
            .content_json = address ? Dump({{"address", address_}}) : "{}"};
  }

 private:
  void Open(const std::string& url) {
    const std::unique_ptr<CURL, void (*)(CURL*)> easy(curl_easy_init(), curl_easy_cleanup);
    curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_NOBODY, 0L);
    curl_easy_setopt(
        easy.get(), CURLOPT_WRITEFUNCTION,
        +[](char*, std::size_t, std::size_t size, void*) { return size; });
    const char* led = nullptr;
    if (curl_easy_perform(easy.get()) == CURLE_OK) {
      curl_easy_getinfo(easy.get(), CURLINFO_REDIRECT_URL, &led);
    }
    address_ = led == nullptr ? "" : led;
  }

  std::string address_;
};

// As an operator would configure the scenario.
OAuthConfig OAuthFor(const std::string& scenario, const Json& context) {
  OAuthConfig out{.grant = OAuthConfig::Grant::kConsent,
                  .client_id = StringOf(context, "client_id"),
                  .client_secret = StringOf(context, "client_secret"),
                  .client_metadata_url = "https://conformance-test.local/client-metadata.json"};
  if (scenario.starts_with("auth/client-credentials")) {
    out.grant = OAuthConfig::Grant::kClientCredentials;
  }
  return out;
}

Json SomeValue(const Json& schema) {
  if (schema.contains("default")) return schema["default"];
  const std::string type = StringOf(schema, "type");
  if (type == "integer") return 7;
  if (type == "number") return 5;
  if (type == "boolean") return true;
  if (type == "array") return Json::array();
  if (type == "object") return Json::object();
  return "text";
}

Json SomeArguments(const Json& tool) {
  Json out = Json::object();
  const Json& properties = MemberOf(MemberOf(tool, "inputSchema"), "properties");
  if (!properties.is_object()) return out;
  for (const auto& [name, schema] : properties.items()) out[name] = SomeValue(schema);
  return out;
}

struct Run {
  Client& client;
  Json context;
  Willing caller;
  int failures = 0;

  bool Report(const std::string& what, const absl::Status& status) {
    std::printf("%s: %s\n", what.c_str(), status.ok() ? "ok" : Why(status).c_str());
    if (!status.ok()) ++failures;
    return status.ok();
  }

  Json ArgumentsFor(const Json& tool, const std::vector<Json>& tools) {
    if (StringOf(tool, "name") != "json_schema_echo") return SomeArguments(tool);
    for (const Json& other : tools) {
      if (StringOf(other, "name") == "json_schema_2020_12_tool") {
        return {{"schema", MemberOf(other, "inputSchema")}};
      }
    }
    return Json::object();
  }

  // A tool whose schema is elsewhere is listed, and that is the point of it: nothing is fetched.
  static bool IsOnlyShown(const Json& tool) {
    return Dump(MemberOf(tool, "inputSchema")).find("\"$ref\":\"http") != std::string::npos;
  }

  void Call(const Json& tool, const Json& arguments) {
    if (IsOnlyShown(tool)) return;
    // What the plugin would not offer is not called.
    if (const auto fine = FindParamHeaders(MemberOf(tool, "inputSchema")); !fine.ok()) {
      std::printf("%s: not offered: %s\n", StringOf(tool, "name").c_str(),
                  Why(fine.status()).c_str());
      return;
    }
    Report("call " + StringOf(tool, "name"), client.CallTool(tool, arguments, caller).status());
  }

  void Tools() {
    const auto tools = client.List("tools/list", "tools", caller);
    if (!Report("tools/list", tools.status())) return;
    const Json& calls = MemberOf(context, "toolCalls");
    for (const Json& tool : *tools) {
      if (!calls.is_array()) Call(tool, ArgumentsFor(tool, *tools));
      if (!calls.is_array()) continue;
      for (const Json& call : calls) {
        if (MemberOf(call, "name") == MemberOf(tool, "name"))
          Call(tool, MemberOf(call, "arguments"));
      }
    }
  }

  void Each(const char* list, const char* key, const char* read, const char* field) {
    const auto items = client.List(list, key, caller);
    if (!Report(list, items.status())) return;
    for (const Json& item : *items) {
      Report(read, client.Ask(read, {{field, StringOf(item, field)}}, caller).status());
    }
  }
};

int Main(const std::string& url) {
  const char* context = std::getenv("MCP_CONFORMANCE_CONTEXT");
  const auto parsed = ParseJson(context == nullptr ? "{}" : context);
  const Json told = parsed.ok() ? *parsed : Json::object();
  const char* name = std::getenv("MCP_CONFORMANCE_SCENARIO");
  const std::string scenario = name == nullptr ? "" : name;
  Tokens tokens("conformance", url, OAuthFor(scenario, told), "");
  ClientOptions options{.server = "conformance", .roots = Json::array()};
  HttpOptions http{.server = "conformance", .url = url, .headers = {}, .bearer = {}};
  if (scenario.starts_with("auth/")) {
    options.tokens = &tokens;
    http.bearer = [&tokens] { return tokens.bearer(); };
  }
  Willing caller;
  auto client = Client::Connect([&] { return MakeHttpWire(http); }, options, {}, caller);
  if (!client.ok()) {
    std::printf("connect: %s\n", Why(client.status()).c_str());
    return 1;
  }
  std::printf("speaks %s\n", (*client)->info().protocol.c_str());
  (*client)->Listen();
  Run run{**client, told};
  run.Tools();
  if ((*client)->Offers("resources"))
    run.Each("resources/list", "resources", "resources/read", "uri");
  if ((*client)->Offers("prompts")) run.Each("prompts/list", "prompts", "prompts/get", "name");
  return run.failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace talon::plugins::mcp

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: mcp_conformance_client <url>\n", stderr);
    return 2;
  }
  return talon::plugins::mcp::Main(argv[argc - 1]);
}
