// SPDX-License-Identifier: Apache-2.0
// A plugin as one who advises turns (proto/talon/v1/hook.proto). A plugin that cannot be loaded, or
// is no hook, refuses everything: it was named to be asked. Loop's thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "hook/hooks.h"
#include "io/task.h"
#include "plugin/extension/options.h"

namespace talon::plugin {

class Host;
struct Manifest;

class PluginAdviser : public hook::Adviser {
 public:
  // Both must outlive this.
  PluginAdviser(Host& host, const Clock& clock, std::string plugin,
                std::chrono::milliseconds timeout)
      : host_(host), clock_(clock), plugin_(std::move(plugin)), timeout_(timeout) {}

  const std::string& name() const override { return plugin_; }
  bool Advises(hook::Joinpoint at) const override;
  int priority() const override;
  bool fail_open() const override;
  io::Task<absl::StatusOr<hook::Decision>> Advise(hook::Moment moment,
                                                  CallContext context) override;

 private:
  const Manifest* HookManifest() const;  // null unless it is a hook

  Host& host_;
  const Clock& clock_;
  const std::string plugin_;
  const std::chrono::milliseconds timeout_;
};

}  // namespace talon::plugin
