// SPDX-License-Identifier: Apache-2.0
// What a model can call. Plugins, the core and later Lua put theirs into the Catalogue. Loop's
// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "base/ids.h"
#include "base/label.h"
#include "io/task.h"
#include "tool/events.h"

namespace talon::tool {

// What a call does to the world; decides its trust tier.
enum class EffectClass { kRead, kWrite, kSend, kExec, kSpend, kAdmin };
std::string_view EffectClassName(EffectClass effect);
absl::StatusOr<EffectClass> ParseEffectClass(std::string_view name);
// 0 read, 1 write, 2 send and exec, 3 spend and admin.
int TrustTier(EffectClass effect);

struct ToolSpec {
  std::string name;         // plugin__action, ^[a-zA-Z0-9_-]{1,64}$; set by the core
  std::string plugin;       // registry name of its plugin; "talon" for core tools
  std::string description;  // for the model
  std::string schema;       // JSON Schema of the arguments object
  EffectClass effect = EffectClass::kExec;
  // May run beside others and again after a crash. Only for tools that change nothing.
  bool read_only = false;
  // Honours the idempotency key: a second execution with the same key has no second effect.
  bool idempotent = false;
  bool user_only = false;                   // never called by a model
  bool always_include = false;              // its schema is always in the prompt
  std::vector<std::string> sink_arguments;  // recipient, URL, path, command …: top-level names
  std::string compensation;                 // name of the tool that undoes a call; may be empty
  std::chrono::milliseconds timeout{0};     // 0 = the guard's default
  bool asks = false;                        // may ask the person; its time stands still meanwhile
};

struct Invocation {
  std::string call_id;
  std::string tool;
  std::string arguments;        // JSON object, validated
  std::string idempotency_key;  // stable over restarts; empty for read-only calls
  SessionId session;
  CallEvents* events =
      nullptr;  // who hears of progress and questions; outlives the call, may be null
};

// Raw, as the tool gave it: untrusted until guard/ has seen it.
struct ToolOutput {
  std::string call_id;     // as echoed by the tool
  std::string content;     // for the model
  std::string structured;  // JSON text, may be empty
  std::string error;       // not empty: the call failed
  // Arguments for ToolSpec::compensation that undo this call, JSON text; may be empty.
  std::string compensation = {};
};

class Tool {
 public:
  virtual ~Tool() = default;
  virtual const ToolSpec& spec() const = 0;
  // Errors are for what the tool could not answer at all (crash, deadline, garbage); a tool that
  // answers "no" returns an output with `error`.
  virtual io::Task<absl::StatusOr<ToolOutput>> Execute(Invocation invocation,
                                                       CallContext context) = 0;
};

}  // namespace talon::tool
