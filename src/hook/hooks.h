// SPDX-License-Identifier: Apache-2.0
// Those who advise a turn, and asking them. Loop's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "base/ids.h"
#include "hook/decision.h"
#include "hook/joinpoint.h"
#include "io/task.h"

namespace talon::hook {

// What is about to be used. Who acts is in the call's context.
struct Moment {
  Joinpoint at = Joinpoint::kInputReceived;
  SessionId session;
  TurnId turn;
  std::string tool;  // at tool.* joinpoints
  std::string value;
};

class Adviser {
 public:
  virtual ~Adviser() = default;
  virtual const std::string& name() const = 0;
  virtual bool Advises(Joinpoint at) const = 0;
  virtual int priority() const = 0;
  // Whether the step goes on when Advise() fails.
  virtual bool fail_open() const = 0;
  // Allow, block or rewrite; anything else is a failure.
  virtual io::Task<absl::StatusOr<Decision>> Advise(Moment moment, CallContext context) = 0;
};

// What one adviser said that matters: a refusal, a rewrite, a failure, notes.
struct Remark {
  std::string adviser;
  Decision decision;  // without the value of a rewrite
};

struct Advice {
  Decision decision;  // allow, block, or rewrite with the value that is left at the end
  std::vector<Remark> remarks;
  bool blocks() const { return decision.verdict == Verdict::kBlock; }
  bool rewrites() const { return decision.verdict == Verdict::kRewrite; }
};

class Hooks {
 public:
  void Add(std::unique_ptr<Adviser> adviser) { advisers_.push_back(std::move(adviser)); }
  // Whether anybody advises there. Ask only then: asking copies the value.
  bool Any(Joinpoint at) const;
  io::Task<Advice> Ask(Moment moment, CallContext context);

 private:
  std::vector<std::unique_ptr<Adviser>> advisers_;
};

}  // namespace talon::hook
