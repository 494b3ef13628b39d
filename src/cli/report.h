// SPDX-License-Identifier: Apache-2.0
// Asking the daemon and showing its answer: what the listing commands share. Main thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/commands.h"

namespace talon::cli {

// Asks the daemon and prints its answer: as it is with --json, else by `print`. The exit code.
int Report(const Globals& globals, const std::string& method, const std::string& path,
           const std::function<void(const Json&)>& print, const std::string& body = "");

// {"ok":true,"data":…} on one line.
void PrintData(const Json& data);

// GET `path`.
absl::StatusOr<Json> Fetch(Client& client, const std::string& path);

void ForEach(const Json& json, std::string_view member,
             const std::function<void(const Json&)>& visit);

// The same for a whole answer; where there is nothing, `none` goes to standard error.
void ListEach(const Json& json, std::string_view member, std::string_view none,
              const std::function<void(const Json&)>& visit);

// A line for a person, harmless to a terminal.
void Print(const std::string& line);

}  // namespace talon::cli
