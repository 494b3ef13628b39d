// SPDX-License-Identifier: Apache-2.0
// How a caller watches a turn while it runs. Calls come on the loop's thread and must not block.
// What is seen here is a preview; the turn's recorded answer decides.
#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"

namespace talon::agent {

struct ToolActivity {
  std::string call_id;
  std::string tool;
  std::string arguments;  // JSON text, at most 2 KB
  std::string result;     // excerpt, at most 2 KB, when finished
  bool is_error = false;
  long duration_ms = 0;
};

struct TurnOutcome;

class TurnObserver {
 public:
  virtual ~TurnObserver() = default;
  virtual void OnText(std::string_view delta) { (void)delta; }
  virtual void OnReasoning(std::string_view delta) { (void)delta; }
  virtual void OnToolStart(const ToolActivity& activity) { (void)activity; }
  virtual void OnToolResult(const ToolActivity& activity) { (void)activity; }
  // The last call: how the turn ended.
  virtual void OnEnd(const TurnOutcome& outcome) = 0;
};

}  // namespace talon::agent
