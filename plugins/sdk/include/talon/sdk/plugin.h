// SPDX-License-Identifier: Apache-2.0
// What an author writes: a class derived from Plugin that adds its tools in the constructor.
//
//   class Echo : public talon::sdk::Plugin {
//    public:
//     Echo() : Plugin({.name = "echo", .version = "1.0.0", .description = "Says things again."}) {
//       AddTool({.name = "say",
//                .description = "Says `text` again.",
//                .schema = Object().Required("text", String()),
//                .effect = Effect::kRead,
//                .read_only = true,
//                .handler = [](const Args& args, const CallInfo&) {
//                  return Result::Text(args.String("text"));
//                }});
//     }
//   };
//   int main(int argc, char** argv) { return talon::sdk::Serve(argc, argv, Echo()); }  // serve.h
//
// A plugin may be more than its tools: it then also derives from AuthProvider (auth.h), Storage
// (storage.h), NotificationChannel (notify.h), ScheduledTasks (schedule.h), Hook (hook.h),
// HttpEndpoint (http.h) or ModelProvider (model.h), and Serve() serves that too.
//
// Threads: constructed and configured before any call; then handlers run on several threads at
// once, so they treat the plugin's members as const or lock. A handler answers before
// CallInfo::deadline() and ends early when cancelled. Exceptions become error results.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "talon/sdk/args.h"
#include "talon/sdk/call.h"
#include "talon/sdk/schema.h"

namespace talon::sdk {

// What a call does to the world. The daemon decides from it what needs an approval; a tool that
// understates its effect is a defect.
enum class Effect { kRead, kWrite, kSend, kExec, kSpend, kAdmin };

// The answer of a tool. `error` not empty means that the call failed and says why and what to do,
// for the model to read. Bytes that are not UTF-8 are replaced before they are sent.
struct Result {
  std::string content;
  std::string structured_json;  // optional, one JSON value
  std::string error;
  // Arguments for Tool::compensation, when this call can be undone; one JSON object.
  std::string compensation_json = {};

  static Result Text(std::string content) { return {.content = std::move(content)}; }
  static Result Error(std::string error) { return {.error = std::move(error)}; }
  // The message of a status that is not OK.
  static Result Error(const absl::Status& status);
};

using Handler = std::function<Result(const Args&, const CallInfo&)>;

struct Tool {
  std::string name;         // ^[a-zA-Z0-9_-]{1,48}$
  std::string description;  // for the model, at every turn: one or two sentences
  Schema schema;
  Effect effect = Effect::kExec;
  bool read_only = false;       // changes nothing: may run in parallel and be repeated
  bool idempotent = false;      // a second call with the same idempotency key has no second effect
  bool user_only = false;       // never offered to a model
  bool always_include = false;  // its schema is always in the prompt
  std::vector<std::string> sink_arguments;  // arguments that say where the effect goes
  std::chrono::milliseconds timeout{0};     // 0 = the daemon's default
  std::string compensation;                 // the tool of this plugin that undoes a call, if any
  bool streams = false;                     // tells its progress: CallInfo::Progress
  bool asks = false;                        // may ask the person: CallInfo::Ask
  Handler handler;
};

// What a plugin needs from its sandbox. What is not named here it does not get; the operator's
// configuration may give less. Paths are absolute.
enum class Network { kNone, kOutbound };
enum class Access { kNone, kRead, kWrite };
struct Needs {
  Network network = Network::kNone;
  Access workspace = Access::kNone;
  std::vector<std::string> read_paths, write_paths;  // granted only by the operator's entry
  std::vector<std::string> credentials;              // names it would like
  std::uint64_t memory_bytes = 0;                    // 0 = the daemon's default
  std::uint32_t processes = 0;                       // 0 = the daemon's default; threads count
};

struct PluginInfo {
  std::string name;  // for people; the operator's configuration names the plugin
  std::string version;
  std::string description;
  Schema config;  // options taken from the plugin's `config:`; others are refused by name
  Needs needs;
  bool dynamic = false;  // its tools depend on its configuration, or change: Plugin::SetTools
  bool watch = false;    // they may change while it runs; needs `dynamic`
};

// Where a plugin may work, and the secrets it is given.
struct Folders {
  std::string workspace;  // the agent's; may be empty
  std::string data;       // private, survives restarts; may be empty
  // By the names of `plugins.<name>.credentials`. Never log them or put them into a result.
  std::map<std::string, std::string> credentials;
};

class ToolList;

class Plugin {
 public:
  explicit Plugin(PluginInfo info);
  virtual ~Plugin() = default;
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  // Called once before any call. `config` holds only known options of the right type. An error
  // refuses the configuration; its message is shown to the operator.
  virtual absl::Status Configure(const Args& config, const Folders& folders);

  const PluginInfo& info() const { return info_; }
  // As they are now; a call keeps those it began with.
  std::shared_ptr<const std::vector<Tool>> tools() const;

  // OK when names, schemas, sinks and handlers fit together; Serve() checks before it serves.
  absl::Status Validate() const;

 protected:
  // In the constructor.
  void AddTool(Tool tool);
  // Replaces all tools of a `dynamic` plugin, in Configure() or, with `watch`, at any time after:
  // the daemon is then told and asks for the new ones. Calls under way are not affected. An error
  // names the tool that cannot be offered, and leaves everything as it was. Any thread.
  absl::Status SetTools(std::vector<Tool> tools);

 private:
  friend class Dispatcher;
  PluginInfo info_;
  const std::shared_ptr<ToolList> tools_;  // shared with the connection
};

}  // namespace talon::sdk
