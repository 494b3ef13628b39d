// SPDX-License-Identifier: Apache-2.0
// Where models come from that are not reached over HTTP: `api: plugin`. A source makes one try at
// an answer; SourceModel makes it a ChatModel as the others are. Declared here and implemented by
// rooms above; daemon/ supplies it. Loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/task.h"
#include "model/chat_model.h"
#include "model/options.h"

namespace talon::model {

class ModelSource {
 public:
  virtual ~ModelSource() = default;
  // `sink` may be null. The answer is complete; of what was given to the sink nothing is missing in
  // it. Errors carry an ErrorReason of the provider taxonomy; their text is the source's own.
  virtual io::Task<absl::StatusOr<ChatResponse>> Complete(const ChatRequest& request,
                                                          CallContext context, DeltaSink* sink) = 0;
};

// Makes the source that `options.plugin` names.
using MakeSource = std::function<absl::StatusOr<std::unique_ptr<ModelSource>>(
    const std::string& provider, const ProviderOptions& options)>;

}  // namespace talon::model
