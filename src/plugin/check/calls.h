// SPDX-License-Identifier: Apache-2.0
// The checks of a configured, running plugin: its tools called well and badly. Loop's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "plugin/check/check.h"
#include "plugin/check/person.h"
#include "plugin/check/sample.h"
#include "plugin/manifest.h"
#include "plugin/plugin_process.h"

namespace talon::plugin::check {

class CallChecks {
 public:
  struct Limits {
    std::chrono::milliseconds time;  // of one call
    std::size_t open_questions;      // of one call at once
  };
  // All must outlive the object; findings are appended to `findings`.
  CallChecks(io::Loop& loop, PluginProcess& process, const Manifest& manifest, Limits limits,
             std::vector<Finding>& findings)
      : loop_(loop), process_(process), manifest_(manifest), limits_(limits), findings_(findings) {}

  // Requests that fit no tool: an unknown one, no message at all, no known method.
  io::Task<void> Strangers();
  // The extension points that the manifest names are there.
  io::Task<void> DeclaredServices();
  // Every tool that `scope` allows.
  io::Task<void> Tools(Scope scope);

 private:
  struct Call {
    std::string tool, arguments, call_id, key;
  };
  // As the daemon calls it: a tool that streams or asks has `person` to talk to; without one
  // everything it asks is accepted. What the person finds wrong is the call's error.
  io::Task<absl::StatusOr<tool::ToolOutput>> Execute(Call call, CallContext context,
                                                     Person* person = nullptr);
  io::Task<absl::StatusOr<std::string>> Converse(std::string_view method, std::string request,
                                                 CallContext context, Person& person);
  io::Task<absl::StatusOr<std::string>> Send(std::string_view method, std::string request);
  // How many questions it asked.
  io::Task<std::size_t> Answers(const Manifest::Tool& tool, const std::string& arguments,
                                std::string check);
  io::Task<void> Unanswered(const Manifest::Tool& tool, const std::string& arguments);
  io::Task<void> Refuses(const Manifest::Tool& tool, const std::string& arguments,
                         std::string what);
  io::Task<void> Large(const Manifest::Tool& tool, const std::string& fitting);
  io::Task<void> AtOnce(const Manifest::Tool& tool, const std::string& arguments);
  io::Task<void> GivenUp(const Manifest::Tool& tool, const std::string& arguments);
  io::Task<void> Twice(const Manifest::Tool& tool, const std::string& arguments);
  io::Task<void> StrangersOn(std::string_view method);
  io::Task<void> HungUp(const Manifest::Tool& tool, const std::string& arguments);
  // `thorough`: also with much, with many and with calls given up.
  io::Task<void> OneTool(const Manifest::Tool& tool, bool thorough);
  void Add(std::string check, Verdict verdict, std::string text);
  // Pass while the plugin lives, with `text`; else a failure.
  void AddIfAlive(std::string check, std::string text);
  CallContext InTime() const;
  std::string NextId();

  io::Loop& loop_;
  PluginProcess& process_;
  const Manifest& manifest_;
  const Limits limits_;
  std::vector<Finding>& findings_;
  std::size_t ids_ = 0;
};

}  // namespace talon::plugin::check
