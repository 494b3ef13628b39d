// SPDX-License-Identifier: Apache-2.0
// One language model behind one wire. Loop's thread. Errors carry an ErrorReason of the provider
// taxonomy (base/status.h) and the provider's retry-after; the text names provider and model and
// quotes at most 300 bytes of the provider's message, redacted.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/task.h"
#include "model/types.h"

namespace talon::model {

// Receives an answer while it is written. Called on the loop; must not block. May cancel through
// the call's context.
class DeltaSink {
 public:
  virtual ~DeltaSink() = default;
  virtual void OnText(std::string_view text) = 0;
  virtual void OnReasoning(std::string_view) {}
  // A call becomes known by name before its arguments are complete.
  virtual void OnToolCall(int index, std::string_view id, std::string_view name) {
    (void)index, (void)id, (void)name;
  }
};

class ChatModel {
 public:
  virtual ~ChatModel() = default;
  // With a sink the wire streams, without it does not; the returned answer is the same and
  // complete. A stream that breaks off is an error, never a short answer. Whole UTF-8 characters
  // only.
  virtual io::Task<absl::StatusOr<ChatResponse>> Complete(ChatRequest request, CallContext context,
                                                          DeltaSink* sink) = 0;
};

}  // namespace talon::model
