// SPDX-License-Identifier: Apache-2.0
#include "plugin/check/calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/cancel.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "plugin/check/manifest_rules.h"
#include "plugin/contract.h"
#include "plugin/conversation.h"
#include "plugin/talk.h"

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

// By which the daemon calls the tool.
std::string_view MethodOf(const Manifest& manifest, std::string_view name) {
  const auto tool = std::ranges::find(manifest.tools, name, &Manifest::Tool::name);
  if (tool == manifest.tools.end()) return kExecuteMethod;
  return tool->asks ? kConverseMethod : tool->streams ? kExecuteStreamMethod : kExecuteMethod;
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
  context.deadline = std::chrono::steady_clock::now() + limits_.time;
  return context;
}

std::string CallChecks::NextId() {
  return fmt::format("check-{}", ++ids_);
}

io::Task<absl::StatusOr<std::string>> CallChecks::Send(std::string_view method,
                                                       std::string request) {
  co_return co_await process_.Call(method, std::move(request), InTime());
}

io::Task<absl::StatusOr<std::string>> CallChecks::Converse(std::string_view method,
                                                           std::string request, CallContext context,
                                                           Person& person) {
  Conversation conversation(loop_, method == kConverseMethod ? Talk::kQuestions : Talk::kUpdates,
                            &person, person.Listening(std::move(context)), limits_.open_questions);
  auto stream = process_.Open(method, conversation.context());
  if (!stream.ok()) co_return stream.status();
  auto answer = co_await conversation.Run(**stream, std::move(request));
  if (!person.fault().empty()) co_return Internal(person.fault());
  co_return answer;
}

io::Task<absl::StatusOr<tool::ToolOutput>> CallChecks::Execute(Call call, CallContext context,
                                                               Person* person) {
  tool::Invocation invocation;
  invocation.call_id = call.call_id;
  invocation.arguments = call.arguments;
  invocation.idempotency_key = call.key;
  const Principal actor{.origin = "check"};
  TALON_CO_ASSIGN_OR_RETURN(std::string request, EncodeExecute(invocation, call.tool, actor));
  const std::string_view method = MethodOf(manifest_, call.tool);
  absl::StatusOr<std::string> answer;
  if (method == kExecuteMethod) {
    answer = co_await process_.Call(method, std::move(request), std::move(context));
  } else {
    Person obliging(loop_, Manner::kAccepts);
    answer = co_await Converse(method, std::move(request), std::move(context),
                               person != nullptr ? *person : obliging);
  }
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
  if (std::ranges::any_of(manifest_.tools, &Manifest::Tool::streams)) {
    co_await StrangersOn(kExecuteStreamMethod);
  }
  if (std::ranges::any_of(manifest_.tools, &Manifest::Tool::asks)) {
    co_await StrangersOn(kConverseMethod);
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

// The same over a stream.
io::Task<void> CallChecks::StrangersOn(std::string_view method) {
  const std::string name(method.substr(method.rfind('/') + 1));
  tool::Invocation invocation;
  invocation.call_id = NextId();
  invocation.arguments = "{}";
  const auto request = EncodeExecute(invocation, "no_such_tool_here", Principal{.origin = "check"});
  Person person(loop_, Manner::kAccepts);
  const auto unknown = co_await Converse(method, request.value_or(""), InTime(), person);
  const auto output = unknown.ok() ? DecodeExecute(*unknown) : unknown.status();
  if (output.ok() && output->error.empty()) {
    Add(name + ": unknown tool", Verdict::kFail, "it was answered as if it were there");
  } else if (ReasonOf(output.status()) == ErrorReason::kPluginMisbehaved) {
    Add(name + ": unknown tool", Verdict::kFail, StatusWords(output.status()));
  } else {
    AddIfAlive(name + ": unknown tool",
               output.ok() ? Quoted(output->error) : StatusWords(output.status()));
  }
  const auto garbage = co_await Send(method, std::string(kGarbage));
  if (garbage.ok()) {
    Add(name + ": malformed request", Verdict::kFail, "it was answered as if it were a call");
  } else {
    AddIfAlive(name + ": malformed request", StatusWords(garbage.status()));
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

io::Task<std::size_t> CallChecks::Answers(const Manifest::Tool& tool, const std::string& arguments,
                                          std::string check) {
  const std::string id = NextId();
  const SteadyTime began = std::chrono::steady_clock::now();
  Person person(loop_, Manner::kAccepts);
  const auto output = co_await Execute({tool.name, arguments, id, tool.spec.read_only ? "" : id},
                                       InTime(), &person);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began);
  if (const std::string fault = Fault(output, id); !fault.empty()) {
    Add(std::move(check), Verdict::kFail, fault);
  } else {
    std::string text = fmt::format("{} bytes in {} ms",
                                   output->content.size() + output->error.size(), took.count());
    if (tool.streams || tool.asks) text += fmt::format(", progress {} times", person.heard());
    if (tool.asks) text += fmt::format(", {} questions", person.asked());
    if (!output->error.empty()) text += ", an error: " + Quoted(output->error);
    AddIfAlive(std::move(check), std::move(text));
  }
  co_return person.asked();
}

// Questions that are declined, and those that nobody answers, end in a result all the same.
io::Task<void> CallChecks::Unanswered(const Manifest::Tool& tool, const std::string& arguments) {
  for (const auto& [manner, what] : {std::pair{Manner::kDeclines, "questions declined"},
                                     std::pair{Manner::kAbsent, "questions nobody answers"}}) {
    const std::string id = NextId();
    Person person(loop_, manner);
    const auto output = co_await Execute({tool.name, arguments, id, tool.spec.read_only ? "" : id},
                                         InTime(), &person);
    const std::string check = fmt::format("{}: {}", tool.name, what);
    if (const std::string fault = Fault(output, id); !fault.empty()) {
      Add(check, Verdict::kFail, fault);
    } else {
      AddIfAlive(check, fmt::format("{} asked, {}", person.asked(),
                                    output->error.empty() ? "a result"
                                                          : "an error: " + Quoted(output->error)));
    }
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

// Given up at its first word: while it goes on, or while its question is open.
io::Task<void> CallChecks::HungUp(const Manifest::Tool& tool, const std::string& arguments) {
  Person person(loop_, Manner::kHangsUp);
  const std::string first = NextId();
  const auto given_up = co_await Execute(
      {tool.name, arguments, first, tool.spec.read_only ? "" : first}, InTime(), &person);
  const std::string check = tool.name + ": given up at its first word";
  if (person.heard() + person.asked() == 0) {
    Add(check, Verdict::kSkip, "it said nothing before its result");
    co_return;
  }
  const std::string id = NextId();
  const auto next =
      co_await Execute({tool.name, arguments, id, tool.spec.read_only ? "" : id}, InTime());
  if (const std::string fault = Fault(next, id); !fault.empty()) {
    Add(check, Verdict::kFail, "the next call failed: " + fault);
  } else {
    AddIfAlive(check, fmt::format("{}; the next one is answered",
                                  given_up.ok() ? "answered meanwhile" : "given up"));
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

io::Task<void> CallChecks::OneTool(const Manifest::Tool& tool, bool thorough) {
  const auto samples = MakeSamples(tool.spec.schema);
  if (!samples) {
    Add(tool.name, Verdict::kSkip, "no arguments could be made up for its schema");
    co_return;
  }
  const std::size_t questions = co_await Answers(tool, samples->fitting, tool.name + ": answer");
  if (!process_.alive()) co_return;
  if (questions > 0) co_await Unanswered(tool, samples->fitting);
  if (tool.asks && questions == 0) {
    Add(tool.name + ": questions", Verdict::kSkip, "it asked nothing with made-up arguments");
  }
  if (!samples->unicode.empty()) {
    co_await Answers(tool, samples->unicode, tool.name + ": text beyond ASCII");
  }
  co_await Refuses(tool, samples->missing, "missing argument");
  co_await Refuses(tool, samples->wrong_type, "argument of another type");
  co_await Refuses(tool, "[]", "arguments that are no object");
  if (tool.spec.idempotent) co_await Twice(tool, samples->fitting);
  if (tool.streams || tool.asks) co_await HungUp(tool, samples->fitting);
  if (!thorough) co_return;
  co_await Large(tool, samples->fitting);
  co_await AtOnce(tool, samples->fitting);
  co_await GivenUp(tool, samples->fitting);
}

// One tool for each way of calling is examined thoroughly.
io::Task<void> CallChecks::Tools(Scope scope) {
  std::set<std::string_view> thorough;  // methods
  for (const Manifest::Tool& tool : manifest_.tools) {
    if (!process_.alive()) {
      Add(tool.name, Verdict::kSkip, "the plugin has ended");
    } else if (scope == Scope::kReadOnlyTools && !tool.spec.read_only) {
      Add(tool.name, Verdict::kSkip, "not read_only; --all executes it with made-up arguments");
    } else {
      const bool first =
          tool.spec.read_only && thorough.insert(MethodOf(manifest_, tool.name)).second;
      co_await OneTool(tool, first);
    }
  }
}

}  // namespace talon::plugin::check
