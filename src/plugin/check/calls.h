// SPDX-License-Identifier: Apache-2.0
// The checks of a configured, running plugin: its tools called well and badly. Loop's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "plugin/check/check.h"
#include "plugin/check/sample.h"
#include "plugin/manifest.h"
#include "plugin/plugin_process.h"

namespace talon::plugin::check {

class CallChecks {
 public:
  // All must outlive the object; findings are appended to `findings`.
  CallChecks(io::Loop& loop, PluginProcess& process, const Manifest& manifest,
             std::chrono::milliseconds limit, std::vector<Finding>& findings)
      : loop_(loop), process_(process), manifest_(manifest), limit_(limit), findings_(findings) {}

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
  io::Task<absl::StatusOr<tool::ToolOutput>> Execute(Call call, CallContext context);
  io::Task<absl::StatusOr<std::string>> Send(std::string_view method, std::string request);
  io::Task<void> Answers(const Manifest::Tool& tool, const std::string& arguments,
                         std::string check);
  io::Task<void> Refuses(const Manifest::Tool& tool, const std::string& arguments,
                         std::string what);
  io::Task<void> Large(const Manifest::Tool& tool, const std::string& fitting);
  io::Task<void> AtOnce(const Manifest::Tool& tool, const std::string& arguments);
  io::Task<void> GivenUp(const Manifest::Tool& tool, const std::string& arguments);
  io::Task<void> Twice(const Manifest::Tool& tool, const std::string& arguments);
  io::Task<void> OneTool(const Manifest::Tool& tool, bool first);
  void Add(std::string check, Verdict verdict, std::string text);
  // Pass while the plugin lives, with `text`; else a failure.
  void AddIfAlive(std::string check, std::string text);
  CallContext InTime() const;
  std::string NextId();

  io::Loop& loop_;
  PluginProcess& process_;
  const Manifest& manifest_;
  const std::chrono::milliseconds limit_;
  std::vector<Finding>& findings_;
  std::size_t ids_ = 0;
};

}  // namespace talon::plugin::check
