// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "io/http_types.h"

namespace talon::cli {
namespace {

constexpr std::size_t kPreviewBytes = 400;

std::string Preview(const Json& message) {
  std::string text;
  const Json* content = JsonFind(message, "content");
  if (content == nullptr) return text;
  ForEach(*content, "parts", [&](const Json& part) {
    const std::string type = JsonString(part, "type");
    if (!text.empty()) text += "\n" + std::string(15, ' ');
    if (type == "tool_call") {
      text += fmt::format("calls {} {}", JsonString(part, "name"), JsonString(part, "arguments"));
    } else if (type == "tool_result") {
      text += fmt::format("{}{}: {}", JsonString(part, "name"),
                          JsonBool(part, "is_error") ? " failed" : "", JsonString(part, "content"));
    } else if (type == "image") {
      text += "(image)";
    } else {
      text += (type == "reasoning" ? "(thinks) " : "") + JsonString(part, "text");
    }
  });
  const std::string_view shown = TruncateUtf8(text, kPreviewBytes);
  return fmt::format("{}{}", shown, shown.size() < text.size() ? " …" : "");
}

}  // namespace

int Tools(const Globals& globals) {
  return Report(globals, "GET", "/v1/tools", [](const Json& json) {
    ListEach(json, "tools", "no tools", [](const Json& tool) {
      Print(fmt::format("{:22} {:6} {}", JsonString(tool, "name"), JsonString(tool, "effect"),
                        JsonString(tool, "description")));
    });
  });
}

int Effects(const Globals& globals, const std::string& turn) {
  const std::string path = fmt::format("/v1/turns/{}/effects", io::PercentEncode(turn));
  return Report(globals, "GET", path, [](const Json& json) {
    ListEach(json, "effects", "this turn changed nothing", [](const Json& effect) {
      Print(fmt::format("{:8} {:6} {}", JsonString(effect, "state"), JsonString(effect, "effect"),
                        JsonString(effect, "tool")));
      if (const Json* undo = JsonFind(effect, "compensation")) {
        const Json* arguments = JsonFind(*undo, "arguments");
        Print(fmt::format("  undone by {} {}", JsonString(*undo, "tool"),
                          arguments == nullptr ? "{}" : DumpJson(*arguments)));
      }
    });
  });
}

int Models(const Globals& globals) {
  return Report(globals, "GET", "/v1/models", [](const Json& json) {
    ForEach(json, "data", [](const Json& model) {
      Print(fmt::format("{:40} {}", JsonString(model, "id"), JsonString(model, "alias")));
    });
  });
}

int Status(const Globals& globals) {
  return Report(globals, "GET", "/v1/status", [](const Json& json) {
    Print(fmt::format("talon {}, pid {}, up {} s, model {}, {} turns running, {} tools",
                      JsonString(json, "version"), JsonInt(json, "pid"), JsonInt(json, "uptime_s"),
                      JsonString(json, "model"), JsonInt(json, "running_turns"),
                      JsonInt(json, "tools")));
  });
}

int Notify(const Globals& globals, const NotifyOptions& options) {
  for (const auto& [name, text] : {std::pair("text", &options.text),
                                   {"--title", &options.title},
                                   {"--level", &options.level},
                                   {"--to", &options.to}}) {
    if (absl::Status valid = CheckUtf8(name, *text); !valid.ok()) {
      return Fail(globals, valid, kUsage);
    }
  }
  Json body = {{"text", options.text},
               {"title", options.title},
               {"level", options.level},
               {"to", options.to}};
  return Report(
      globals, "POST", "/v1/notifications",
      [](const Json& json) { Print("sent " + JsonString(json, "id")); }, DumpJson(body));
}

int SessionsList(const Globals& globals, ListedSessions which) {
  const char* path = which == ListedSessions::kAll ? "/v1/sessions" : "/v1/sessions?named=true";
  return Report(globals, "GET", path, [which](const Json& json) {
    const char* none = which == ListedSessions::kAll
                           ? "no sessions"
                           : "no sessions with a key; --all shows the others as well";
    ListEach(json, "sessions", none, [](const Json& session) {
      Print(fmt::format("{} {:24} {:5} messages  {}", JsonString(session, "id"),
                        JsonString(session, "key"), JsonInt(session, "messages"),
                        JsonString(session, "updated_at")));
    });
  });
}

int SessionShow(const Globals& globals, const std::string& id) {
  auto client = Client::Connect();
  if (!client.ok()) return Fail(globals, client.status(), ConnectCode(client.status()));
  auto session = (*client)->Call("GET", "/v1/sessions/" + io::PercentEncode(id));
  if (!session.ok()) return Fail(globals, session.status());
  auto record = ParseJson(*session, "session");
  if (!record.ok()) return Fail(globals, record.status());
  auto body = (*client)->Call("GET", "/v1/sessions/" + JsonString(*record, "id") + "/messages");
  if (!body.ok()) return Fail(globals, body.status());
  auto messages = ParseJson(*body, "messages");
  if (!messages.ok()) return Fail(globals, messages.status());
  if (globals.json) {
    PrintData(*messages);
    return kOk;
  }
  ListEach(*messages, "messages", "no messages", [](const Json& message) {
    Print(fmt::format("{:4} {:9} {}", JsonInt(message, "seq"), JsonString(message, "role"),
                      Preview(message)));
  });
  return kOk;
}

int SessionDelete(const Globals& globals, const std::string& id, bool force) {
  const char* query = force ? "?force=true" : "";
  return Report(globals, "DELETE", "/v1/sessions/" + io::PercentEncode(id) + query,
                [](const Json& json) { Print("deleted " + JsonString(json, "session")); });
}

int Context(const Globals& globals, const std::string& session, const std::string& model,
            bool show_prompt) {
  const std::string path = fmt::format("/v1/context?session={}&model={}",
                                       io::PercentEncode(session), io::PercentEncode(model));
  return Report(globals, "GET", path, [&](const Json& json) {
    Print(fmt::format(
        "model             {}\nwindow            {} tokens\n"
        "system prompt     {} tokens\ntool definitions  {} tokens ({} of {} tools)\n"
        "fixed overhead    {} tokens\nmessages          {} tokens",
        JsonString(json, "model"), JsonInt(json, "window"), JsonInt(json, "system_tokens"),
        JsonInt(json, "tool_tokens"), JsonInt(json, "tools_shown"), JsonInt(json, "tools_known"),
        JsonInt(json, "overhead_tokens"), JsonInt(json, "message_tokens")));
    if (show_prompt) Print("\n" + JsonString(json, "system_prompt"));
  });
}

}  // namespace talon::cli
