// SPDX-License-Identifier: Apache-2.0
#include "plugin/check/calls.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/cancel.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "plugin/check/manifest_rules.h"
#include "plugin/contract.h"

namespace talon::plugin::check {
namespace {

constexpr std::size_t kAtOnce = 16;
constexpr std::chrono::milliseconds kShort{20};  // after which a call is given up
constexpr std::size_t kLargeText = 1 << 20;
constexpr std::string_view kGarbage = "\xff\xff\xff\xff";  // no message of protobuf
constexpr std::size_t kMaxQuoted = 200;

std::string Quoted(std::string_view text) {
  return std::string(TruncateUtf8(RepairUtf8(text), kMaxQuoted));
}

std::string StatusWords(const absl::Status& status) {
  return fmt::format("{}: {}", absl::StatusCodeToString(status.code()), Quoted(Message(status)));
}

// What is wrong with an answer to `call_id`; empty when nothing is.
std::string Fault(const absl::StatusOr<tool::ToolOutput>& output, const std::string& call_id) {
  if (!output.ok()) return StatusWords(output.status());
  if (output->call_id != call_id) {
    return fmt::format("the call id '{}' came back as '{}'", call_id, Quoted(output->call_id));
  }
  if (!IsValidUtf8(output->content) || !IsValidUtf8(output->error)) return "it is not valid UTF-8";
  if (!output->structured.empty() && !ParseJson(output->structured, "structured").ok()) {
    return "structured_json is no JSON";
  }
  return "";
}

}  // namespace

void CallChecks::Add(std::string check, Verdict verdict, std::string text) {
  findings_.push_back({std::move(check), verdict, std::move(text)});
}

void CallChecks::AddIfAlive(std::string check, std::string text) {
  if (process_.alive()) return Add(std::move(check), Verdict::kPass, std::move(text));
  Add(std::move(check), Verdict::kFail, "the plugin ended: " + text);
}

CallContext CallChecks::InTime() const {
  CallContext context;
  context.deadline = std::chrono::steady_clock::now() + limit_;
  return context;
}

std::string CallChecks::NextId() {
  return fmt::format("check-{}", ++ids_);
}

io::Task<absl::StatusOr<std::string>> CallChecks::Send(std::string_view method,
                                                       std::string request) {
  co_return co_await process_.Call(method, std::move(request), InTime());
}

io::Task<absl::StatusOr<tool::ToolOutput>> CallChecks::Execute(Call call, CallContext context) {
  tool::Invocation invocation;
  invocation.call_id = call.call_id;
  invocation.arguments = call.arguments;
  invocation.idempotency_key = call.key;
  const Principal actor{.origin = "check"};
  TALON_CO_ASSIGN_OR_RETURN(std::string request, EncodeExecute(invocation, call.tool, actor));
  const auto answer =
      co_await process_.Call(kExecuteMethod, std::move(request), std::move(context));
  if (!answer.ok()) co_return answer.status();
  co_return DecodeExecute(*answer);
}

io::Task<void> CallChecks::Strangers() {
  const auto unknown = co_await Execute({"no_such_tool_here", "{}", NextId(), ""}, InTime());
  if (unknown.ok() && unknown->error.empty()) {
    Add("unknown tool", Verdict::kFail, "it was answered as if it were there");
  } else {
    AddIfAlive("unknown tool",
               unknown.ok() ? Quoted(unknown->error) : StatusWords(unknown.status()));
  }
  const auto garbage = co_await Send(kExecuteMethod, std::string(kGarbage));
  if (garbage.ok()) {
    Add("malformed request", Verdict::kFail, "it was answered as if it were a call");
  } else {
    AddIfAlive("malformed request", StatusWords(garbage.status()));
  }
  const auto method = co_await Send("/talon.v1.Plugin/NoSuchMethod", "");
  if (method.status().code() == absl::StatusCode::kUnimplemented) {
    AddIfAlive("unknown method", "UNIMPLEMENTED");
  } else {
    Add("unknown method", Verdict::kFail,
        fmt::format("expected UNIMPLEMENTED, got {}", StatusWords(method.status())));
  }
  // {service: "plugin"}, SERVING.
  const auto health = co_await Send("/grpc.health.v1.Health/Check", "\x0a\x06plugin");
  if (health.status().code() == absl::StatusCode::kUnimplemented) {
    Add("health", Verdict::kSkip, "not served; only plugins made with go-plugin do");
  } else if (health.ok() && *health == std::string_view("\x08\x01")) {
    Add("health", Verdict::kPass, "SERVING");
  } else {
    Add("health", Verdict::kFail, health.ok() ? "it is not SERVING" : StatusWords(health.status()));
  }
}

// Bytes that are no message have no effect: a method that is there refuses them.
io::Task<void> CallChecks::DeclaredServices() {
  for (const std::string_view method : DeclaredMethods(manifest_)) {
    const auto answer = co_await Send(method, std::string(kGarbage));
    const std::string check = fmt::format("serves {}", method.substr(1, method.rfind('/') - 1));
    if (answer.status().code() == absl::StatusCode::kUnimplemented) {
      Add(check, Verdict::kFail, "the manifest names it, but it is not served");
    } else {
      AddIfAlive(check, "served");
    }
  }
}

io::Task<void> CallChecks::Answers(const Manifest::Tool& tool, const std::string& arguments,
                                   std::string check) {
  const std::string id = NextId();
  const SteadyTime began = std::chrono::steady_clock::now();
  const auto output =
      co_await Execute({tool.name, arguments, id, tool.spec.read_only ? "" : id}, InTime());
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began);
  if (const std::string fault = Fault(output, id); !fault.empty()) {
    Add(std::move(check), Verdict::kFail, fault);
  } else {
    AddIfAlive(std::move(check),
               fmt::format("{} bytes in {} ms{}", output->content.size() + output->error.size(),
                           took.count(),
                           output->error.empty() ? "" : ", an error: " + Quoted(output->error)));
  }
}

io::Task<void> CallChecks::Refuses(const Manifest::Tool& tool, const std::string& arguments,
                                   std::string what) {
  if (arguments.empty()) co_return;
  const std::string check = fmt::format("{}: {}", tool.name, what);
  const auto output = co_await Execute({tool.name, arguments, NextId(), ""}, InTime());
  if (output.ok() && output->error.empty()) {
    Add(check, Verdict::kFail, fmt::format("{} was taken", arguments));
  } else if (absl::IsDeadlineExceeded(output.status())) {
    Add(check, Verdict::kFail, "no answer");
  } else {
    AddIfAlive(check, output.ok() ? Quoted(output->error) : StatusWords(output.status()));
  }
}

// With a member that is in no schema, larger than anything a model writes.
io::Task<void> CallChecks::Large(const Manifest::Tool& tool, const std::string& fitting) {
  Json arguments = ParseJson(fitting, "sample").value();
  arguments["talon_check"] = std::string(kLargeText, 'x');
  const auto output = co_await Execute({tool.name, DumpJson(arguments), NextId(), ""}, InTime());
  AddIfAlive(tool.name + ": 1 MiB of arguments",
             output.ok() ? Quoted(output->error) : StatusWords(output.status()));
}

io::Task<void> CallChecks::AtOnce(const Manifest::Tool& tool, const std::string& arguments) {
  struct Shared {
    std::vector<std::string> faults;
  };
  const auto shared = std::make_shared<Shared>();  // with the calls
  {
    io::Nursery calls(loop_);
    for (std::size_t i = 0; i < kAtOnce; ++i) {
      calls.Spawn([](CallChecks& self, std::shared_ptr<Shared> shared, std::string name,
                     std::string arguments) -> io::Task<void> {
        const std::string id = self.NextId();
        const auto output = co_await self.Execute({name, arguments, id, ""}, self.InTime());
        if (std::string fault = Fault(output, id); !fault.empty()) {
          shared->faults.push_back(std::move(fault));
        }
      }(*this, shared, tool.name, arguments));
    }
    co_await calls.Join();
  }
  const std::string check = tool.name + ": calls at once";
  if (shared->faults.empty()) {
    AddIfAlive(check, fmt::format("{} of {} answered", kAtOnce, kAtOnce));
  } else {
    Add(check, Verdict::kFail,
        fmt::format("{} of {} failed, such as: {}", shared->faults.size(), kAtOnce,
                    shared->faults[0]));
  }
}

// Calls that nobody waits for any more, by deadline and by cancellation, do no harm to the next
// one.
io::Task<void> CallChecks::GivenUp(const Manifest::Tool& tool, const std::string& arguments) {
  CallContext brief;
  brief.deadline = std::chrono::steady_clock::now() + kShort;
  const auto late = co_await Execute({tool.name, arguments, NextId(), ""}, brief);
  CancelSource source;
  CallContext cancelled = InTime();
  cancelled.cancel = source.token();
  loop_.Post([source]() mutable { source.Cancel(Cancelled("given up by the check")); });
  const auto stopped = co_await Execute({tool.name, arguments, NextId(), ""}, cancelled);
  const std::string id = NextId();
  const auto next = co_await Execute({tool.name, arguments, id, ""}, InTime());
  const std::string check = tool.name + ": calls given up";
  if (const std::string fault = Fault(next, id); !fault.empty()) {
    Add(check, Verdict::kFail, "the next call failed: " + fault);
  } else {
    AddIfAlive(check, fmt::format("{} within {} ms, {} when cancelled; the next one is answered",
                                  late.ok() ? "answered" : "given up", kShort.count(),
                                  stopped.ok() ? "answered" : "given up"));
  }
}

io::Task<void> CallChecks::Twice(const Manifest::Tool& tool, const std::string& arguments) {
  const std::string key = "key-" + NextId();
  const auto first = co_await Execute({tool.name, arguments, NextId(), key}, InTime());
  const auto second = co_await Execute({tool.name, arguments, NextId(), key}, InTime());
  const std::string check = tool.name + ": idempotent";
  if (!first.ok() || !second.ok()) {
    Add(check, Verdict::kFail, StatusWords(first.ok() ? second.status() : first.status()));
  } else if (first->content != second->content || first->error != second->error) {
    Add(check, Verdict::kFail, "the same key was answered in two ways");
  } else {
    AddIfAlive(check, "the same key, the same answer");
  }
}

io::Task<void> CallChecks::OneTool(const Manifest::Tool& tool, bool first) {
  const auto samples = MakeSamples(tool.spec.schema);
  if (!samples) {
    Add(tool.name, Verdict::kSkip, "no arguments could be made up for its schema");
    co_return;
  }
  co_await Answers(tool, samples->fitting, tool.name + ": answer");
  if (!process_.alive()) co_return;
  if (!samples->unicode.empty()) {
    co_await Answers(tool, samples->unicode, tool.name + ": text beyond ASCII");
  }
  co_await Refuses(tool, samples->missing, "missing argument");
  co_await Refuses(tool, samples->wrong_type, "argument of another type");
  co_await Refuses(tool, "[]", "arguments that are no object");
  if (tool.spec.idempotent) co_await Twice(tool, samples->fitting);
  if (!first || !tool.spec.read_only) co_return;
  co_await Large(tool, samples->fitting);
  co_await AtOnce(tool, samples->fitting);
  co_await GivenUp(tool, samples->fitting);
}

io::Task<void> CallChecks::Tools(Scope scope) {
  bool first = true;
  for (const Manifest::Tool& tool : manifest_.tools) {
    if (!process_.alive()) {
      Add(tool.name, Verdict::kSkip, "the plugin has ended");
    } else if (tool.streams || tool.asks) {
      Add(tool.name, Verdict::kSkip, "it streams, and is not executed here");
    } else if (scope == Scope::kReadOnlyTools && !tool.spec.read_only) {
      Add(tool.name, Verdict::kSkip, "not read_only; --all executes it with made-up arguments");
    } else {
      co_await OneTool(tool, std::exchange(first, first && !tool.spec.read_only));
    }
  }
}

}  // namespace talon::plugin::check
