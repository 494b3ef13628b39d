// SPDX-License-Identifier: Apache-2.0
#include "http/http_plugin.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>

#include "http/ascii.h"
#include "http/body_text.h"
#include "http/fetch.h"

namespace talon::plugins {
namespace {

using sdk::Args;
using sdk::CallInfo;
using sdk::Effect;
using sdk::Object;
using sdk::Result;
using sdk::String;
using std::chrono::milliseconds;

constexpr milliseconds kMaxTimeout{120'000};
constexpr long kMaxBodyBytes = 16L << 20;

constexpr std::string_view kShownHeaders[] = {
    "content-type", "content-length",   "location", "last-modified",     "etag",
    "retry-after",  "www-authenticate", "link",     "x-ratelimit-reset",
};
constexpr std::size_t kMaxShownHeader = 500;  // of one that is shown

sdk::PluginInfo Info() {
  return {.name = "http",
          .version = "1.0.0",
          .description = "Fetches from and sends to web addresses.",
          .config = Object()
                        .Optional("allow_private", sdk::Boolean())
                        .Optional("allow_hosts", sdk::ArrayOf(String()))
                        .Optional("max_body_bytes", sdk::Integer())
                        .Optional("timeout_ms", sdk::Integer()),
          .needs = {.network = sdk::Network::kOutbound}};
}

Result Report(const FetchResponse& response, BodyForm form, std::size_t max_body) {
  std::string out = fmt::format("HTTP {}", response.status);
  if (response.redirects > 0) out += " from " + response.url;
  out += '\n';
  for (const std::string_view name : kShownHeaders) {
    const auto found = response.headers.find(std::string(name));
    if (found == response.headers.end()) continue;
    out += fmt::format("{}: {}\n", name, found->second.substr(0, kMaxShownHeader));
  }
  if (!response.body.empty()) {
    const auto type = response.headers.find("content-type");
    out += '\n';
    out += BodyText(response.body, type == response.headers.end() ? "" : type->second, form);
  }
  if (response.body_cut) out += fmt::format("\n[body cut after {} bytes]", max_body);
  return Result::Text(std::move(out));
}

class HttpPlugin : public sdk::Plugin {
 public:
  HttpPlugin() : Plugin(Info()) {
    // Fetching tells the address to its server: an effect, although nothing is changed.
    AddTool({.name = "get",
             .description = "Fetch a URL.",
             .schema = Object()
                           .Required("url", String())
                           .Optional("headers", sdk::MapOf(String()))
                           .Optional("text", sdk::Boolean("HTML as readable text")),
             .effect = Effect::kSend,
             .read_only = true,
             .sink_arguments = {"url"},
             .timeout = kMaxTimeout + milliseconds(5'000),
             .handler = [this](const Args& args, const CallInfo& call) {
               return Run(args, call, "GET");
             }});
    AddTool({.name = "request",
             .description = "Send an HTTP request.",
             .schema = Object()
                           .Required("method", String())
                           .Required("url", String())
                           .Optional("headers", sdk::MapOf(String()))
                           .Optional("body", String())
                           .Optional("text", sdk::Boolean("HTML as readable text")),
             .effect = Effect::kSend,
             .sink_arguments = {"url"},
             .timeout = kMaxTimeout + milliseconds(5'000),
             .handler = [this](const Args& args, const CallInfo& call) {
               return Run(args, call, args.String("method"));
             }});
  }

  absl::Status Configure(const Args& config, const sdk::Folders&) override {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
      return absl::InternalError("libcurl cannot be initialised");
    }
    policy_.allow_private = config.Bool("allow_private");
    for (std::string host : config.Strings("allow_hosts")) {
      std::transform(host.begin(), host.end(), host.begin(), LowerChar);
      policy_.allow_hosts.insert(std::move(host));
    }
    const long bytes = config.Int("max_body_bytes", static_cast<long>(policy_.max_body_bytes));
    const milliseconds timeout(config.Int("timeout_ms", policy_.timeout.count()));
    if (bytes < 1 || bytes > kMaxBodyBytes) {
      return absl::InvalidArgumentError(
          fmt::format("max_body_bytes must be 1 to {}", kMaxBodyBytes));
    }
    if (timeout.count() < 1 || timeout > kMaxTimeout) {
      return absl::InvalidArgumentError(
          fmt::format("timeout_ms must be 1 to {}", kMaxTimeout.count()));
    }
    policy_.max_body_bytes = static_cast<std::size_t>(bytes);
    policy_.timeout = timeout;
    return absl::OkStatus();
  }

 private:
  Result Run(const Args& args, const CallInfo& call, std::string method) const {
    std::transform(method.begin(), method.end(), method.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    const FetchRequest request{.method = std::move(method),
                               .url = args.String("url"),
                               .headers = args.StringMap("headers"),
                               .body = args.String("body")};
    const absl::StatusOr<FetchResponse> response = Fetch(request, policy_, call);
    if (!response.ok()) return Result::Error(response.status());
    const BodyForm form = args.Bool("text") ? BodyForm::kReadable : BodyForm::kAsSent;
    return Report(*response, form, policy_.max_body_bytes);
  }

  FetchPolicy policy_;  // set by Configure, before any handler
};

}  // namespace

std::unique_ptr<sdk::Plugin> MakeHttpPlugin() {
  return std::make_unique<HttpPlugin>();
}

}  // namespace talon::plugins
