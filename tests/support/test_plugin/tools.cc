// SPDX-License-Identifier: Apache-2.0
#include "tools.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

namespace talon::test_plugin {
namespace {

using Json = nlohmann::json;

struct CallData {
  const v1::ExecuteRequest& request;
  const v1::ConfigureRequest& configured;
  const Json& arguments;
  v1::ExecuteResponse& response;
};

struct Tool {
  const char* name;
  v1::EffectClass effect;
  bool read_only, idempotent;
  const char* parameters;  // of the schema: name to type, as JSON members
  std::function<Failure(const CallData&)> run;
};

[[noreturn]] void Hang() {
  while (true) pause();
}

// The daemon's connection is the one connected Unix socket of this process.
void WriteGarbage() {
  for (int fd = 3; fd < 256; ++fd) {
    int domain = 0;
    int listens = 1;
    socklen_t size = sizeof(int);
    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
    if (domain != AF_UNIX || listens != 0) continue;
    const std::string garbage(64, '\xfe');
    (void)send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL);
  }
}

Failure Content(const CallData& call, std::string text) {
  call.response.set_content(std::move(text));
  return {};
}

std::string Environment() {
  std::string text;
  for (char** each = environ; *each != nullptr; ++each) text += std::string(*each) + "\n";
  return text;
}

Failure WaitOnce(const CallData& call) {
  const std::string marker = call.arguments.value("marker", "");
  if (std::filesystem::exists(marker)) return Content(call, "repeated");
  close(open(marker.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  Hang();
}

Failure CrashOnce(const CallData& call) {
  const std::string marker = call.arguments.value("marker", "");
  const int fd = open(marker.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0) _exit(3);
  return Content(call, "survived");
}

Failure Append(const CallData& call, const std::string& key) {
  const bool appended =
      LedgerAppend(call.arguments.value("file", ""), call.arguments.value("line", ""), key);
  return Content(call, appended ? "appended" : "already appended");
}

Failure FloodStderr(const CallData& call) {
  const int lines = call.arguments.value("lines", 1000);
  for (int i = 0; i < lines; ++i) std::fprintf(stderr, "[WARN] line %d of a flood\n", i);
  return Content(call, "flooded");
}

const std::vector<Tool>& Tools() {
  constexpr auto kRead = v1::EFFECT_CLASS_READ;
  constexpr auto kWrite = v1::EFFECT_CLASS_WRITE;
  constexpr auto kSpend = v1::EFFECT_CLASS_SPEND;
  constexpr auto kUnspecified = v1::EFFECT_CLASS_UNSPECIFIED;
  static const std::vector<Tool> tools = {
      {"echo", kRead, true, false, R"("text":{"type":"string"})",
       [](const CallData& call) { return Content(call, call.arguments.value("text", "")); }},
      {"pid", kRead, true, false, "",
       [](const CallData& call) { return Content(call, std::to_string(getpid())); }},
      {"cwd", kRead, true, false, "",
       [](const CallData& call) {
         return Content(call, std::filesystem::current_path().string());
       }},
      {"env", kRead, true, false, "",
       [](const CallData& call) { return Content(call, Environment()); }},
      {"config", kRead, true, false, "",
       [](const CallData& call) {
         const auto& given = call.configured.credentials();
         return Content(call, Json{{"config", call.configured.config_json()},
                                   {"workspace", call.configured.workspace()},
                                   {"data_directory", call.configured.data_directory()},
                                   {"credentials",
                                    std::map<std::string, std::string>(given.begin(), given.end())}}
                                  .dump());
       }},
      {"sleep_ms", kUnspecified, false, false, R"("ms":{"type":"integer"})",
       [](const CallData& call) {
         std::this_thread::sleep_for(std::chrono::milliseconds(call.arguments.value("ms", 0)));
         return Content(call, "slept");
       }},
      {"hang", kUnspecified, false, false, "",
       [](const CallData&) {
         Hang();
         return Failure();
       }},
      {"crash", kUnspecified, false, false, R"("signal":{"type":"integer"})",
       [](const CallData& call) {
         std::fprintf(stderr, "[ERROR] about to crash\n");
         const int number = call.arguments.value("signal", SIGSEGV);
         std::signal(number, SIG_DFL);  // a sanitizer would turn it into an exit
         kill(getpid(), number);
         Hang();
         return Failure();
       }},
      {"wait_once", kRead, true, false, R"("marker":{"type":"string"})", WaitOnce},
      {"crash_once", kRead, true, false, R"("marker":{"type":"string"})", CrashOnce},
      {"garbage", kUnspecified, false, false, "",
       [](const CallData& call) {
         WriteGarbage();
         return Content(call, "never read");
       }},
      {"flood", kUnspecified, false, false, R"("bytes":{"type":"integer"})",
       [](const CallData& call) {
         return Content(call, std::string(call.arguments.value("bytes", std::size_t{1}), 'x'));
       }},
      {"wrong_id", kUnspecified, false, false, "",
       [](const CallData& call) {
         call.response.set_call_id("wrong");
         return Content(call, "not yours");
       }},
      {"bad_utf8", kUnspecified, false, false, "",
       [](const CallData& call) { return Content(call, "bad \xff\xfe bytes"); }},
      {"fail", kUnspecified, false, false, R"("text":{"type":"string"})",
       [](const CallData& call) {
         call.response.set_error(call.arguments.value("text", "failed"));
         return Failure();
       }},
      {"status", kUnspecified, false, false,
       R"("code":{"type":"integer"},"text":{"type":"string"})",
       [](const CallData& call) {
         return Failure{call.arguments.value("code", 2), call.arguments.value("text", "")};
       }},
      {"stderr_flood", kUnspecified, false, false, R"("lines":{"type":"integer"})", FloodStderr},
      {"mark", kWrite, false, false, R"("name":{"type":"string"})",
       [](const CallData& call) {
         call.response.set_compensation_json(
             Json{{"name", call.arguments.value("name", "")}}.dump());
         return Content(call, "marked");
       }},
      {"unmark", kWrite, false, false, R"("name":{"type":"string"})",
       [](const CallData& call) { return Content(call, "unmarked"); }},
      {"ledger_append", kWrite, false, true, R"("file":{"type":"string"},"line":{"type":"string"})",
       [](const CallData& call) { return Append(call, call.request.idempotency_key()); }},
      {"ledger_append_blind", kWrite, false, false,
       R"("file":{"type":"string"},"line":{"type":"string"})",
       [](const CallData& call) { return Append(call, ""); }},
      {"pay", kSpend, false, false, R"("to":{"type":"string"},"amount":{"type":"number"})",
       [](const CallData& call) { return Content(call, "paid"); }},
  };
  return tools;
}

}  // namespace

v1::Manifest MakeManifest(bool extra_tool) {
  v1::Manifest manifest;
  manifest.set_protocol(1);
  manifest.set_name("test");
  manifest.set_version("1.0");
  manifest.set_description("Does what a test asks of it");
  for (const Tool& tool : Tools()) {
    v1::ToolManifest& made = *manifest.add_tools();
    made.set_name(tool.name);
    made.set_description(std::string("Test tool ") + tool.name);
    made.set_schema_json(std::string(R"({"type":"object","properties":{)") + tool.parameters +
                         "}}");
    made.set_effect(tool.effect);
    made.set_read_only(tool.read_only);
    made.set_idempotent(tool.idempotent);
    if (made.name() == "mark") made.set_compensation("unmark");
  }
  for (const char* name : {"tell", "talk", "talk_write"}) {
    v1::ToolManifest& made = *manifest.add_tools();
    made.set_name(name);
    made.set_description("Says what its script tells it");
    made.set_schema_json(R"({"type":"object","properties":{"script":{"type":"array"}}})");
    made.set_read_only(std::string_view(name) != "talk_write");
    made.set_effect(made.read_only() ? v1::EFFECT_CLASS_READ : v1::EFFECT_CLASS_WRITE);
    made.set_streams(std::string_view(name) == "tell");
    made.set_asks(!made.streams());
  }
  if (extra_tool) manifest.add_tools()->set_name("extra");
  return manifest;
}

void AddNamed(const std::vector<std::string>& names, v1::Manifest& manifest) {
  for (const std::string& name : names) {
    v1::ToolManifest& made = *manifest.add_tools();
    made.set_name(name);
    made.set_description("Says its name");
    made.set_schema_json(name == "bad_schema" ? "{" : R"({"type":"object"})");
    made.set_effect(v1::EFFECT_CLASS_READ);
    made.set_read_only(true);
  }
}

Failure Execute(const v1::ExecuteRequest& request, const v1::ConfigureRequest& configured,
                v1::ExecuteResponse& response) {
  response.set_call_id(request.call_id());
  const Json arguments = Json::parse(request.arguments_json(), nullptr, false);
  if (!arguments.is_object()) return {3, "the arguments are no JSON object"};
  for (const Tool& tool : Tools()) {
    if (request.tool() != tool.name) continue;
    try {
      return tool.run({request, configured, arguments, response});
    } catch (const std::exception& error) {
      return {13, error.what()};
    }
  }
  if (request.tool().starts_with("dyn_")) {
    response.set_content(request.tool());
    return {};
  }
  return {12, "no such tool"};
}

}  // namespace talon::test_plugin
