// SPDX-License-Identifier: Apache-2.0
// The subcommands. Each returns the process's exit code (see ExitCode); main thread.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace talon::cli {

enum ExitCode : int {
  kOk = 0,
  kFailed = 1,       // the command did not succeed
  kUsage = 2,        // wrong arguments or configuration
  kUnreachable = 3,  // no daemon answers and none could be started
  kTurnFailed = 4,   // the turn ended with an error
  kInterrupted = 130,
};

struct Globals {
  bool json = false;
};

struct AskOptions {
  std::string message;  // "-" or empty: standard input
  std::string session;
  std::string model;
  bool task = false;
  bool quiet = false;  // the answer only
  bool wait = false;   // for approvals of somebody else
};

struct NotifyOptions {
  std::string text, title, level, to;
};

int Serve(const Globals& globals);
int Ask(const Globals& globals, const AskOptions& options);
int Chat(const Globals& globals, std::string session, const std::string& model);
int ConfigCheck(const Globals& globals);
int ConfigShow(const Globals& globals);
int ConfigExample(bool reference);
int Doctor(const Globals& globals);
int Tools(const Globals& globals);
int Models(const Globals& globals);
int Effects(const Globals& globals, const std::string& turn);
int Status(const Globals& globals);
int Notify(const Globals& globals, const NotifyOptions& options);
// Those that somebody gave a key, or also those of single questions.
enum class ListedSessions { kNamed, kAll };
int SessionsList(const Globals& globals, ListedSessions which);
int SessionShow(const Globals& globals, const std::string& id);
int SessionDelete(const Globals& globals, const std::string& id, bool force);
int Context(const Globals& globals, const std::string& session, const std::string& model,
            bool show_prompt);

// What a failed Client::Connect() means: kUsage for what a person configured, else kUnreachable.
int ConnectCode(const absl::Status& error);

// Prints the error for a person or as {"ok":false,"error":{…}} and returns `code`.
int Fail(const Globals& globals, const absl::Status& error, int code = kFailed);

}  // namespace talon::cli
