// SPDX-License-Identifier: Apache-2.0
#include "cli/report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/terminal.h"

namespace talon::cli {

int Report(const Globals& globals, const std::string& method, const std::string& path,
           const std::function<void(const Json&)>& print, const std::string& body) {
  auto client = Client::Connect();
  if (!client.ok()) return Fail(globals, client.status(), ConnectCode(client.status()));
  auto answer = (*client)->Call(method, path, body);
  if (!answer.ok()) return Fail(globals, answer.status());
  auto json = ParseJson(*answer, path);
  if (!json.ok()) return Fail(globals, json.status());
  if (globals.json) {
    PrintData(*json);
  } else {
    print(*json);
  }
  return kOk;
}

absl::StatusOr<Json> Fetch(Client& client, const std::string& path) {
  auto answer = client.Call("GET", path);
  if (!answer.ok()) return answer.status();
  return ParseJson(*answer, path);
}

void PrintData(const Json& data) {
  std::printf("%s\n", DumpJson({{"ok", true}, {"data", data}}).c_str());
}

void ForEach(const Json& json, std::string_view member,
             const std::function<void(const Json&)>& visit) {
  if (const Json* list = JsonFind(json, member); list != nullptr && list->is_array()) {
    for (const Json& item : *list) visit(item);
  }
}

void ListEach(const Json& json, std::string_view member, std::string_view none,
              const std::function<void(const Json&)>& visit) {
  const Json* list = JsonFind(json, member);
  if (list == nullptr || list->empty()) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(none.size()), none.data());
  }
  ForEach(json, member, visit);
}

void Print(const std::string& line) {
  std::printf("%s\n", ForTerminal(line).c_str());
}

}  // namespace talon::cli
