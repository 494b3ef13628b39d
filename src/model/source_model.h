// SPDX-License-Identifier: Apache-2.0
// A ModelSource as a ChatModel: bounded, with the ids, marks and error texts that every provider's
// answers have. Loop's thread; private to the room.
#pragma once

#include <memory>
#include <string>

#include "base/secret.h"
#include "model/retrying_model.h"
#include "model/source.h"

namespace talon::model {

class SourceModel : public RetryingModel {
 public:
  // `redactor` and `clock` must outlive it.
  SourceModel(std::string provider, ProviderOptions options, std::unique_ptr<ModelSource> source,
              const Redactor& redactor, const Clock& clock, Sleep sleep);

 protected:
  io::Task<absl::StatusOr<ChatResponse>> Try(const ChatRequest& request, const CallContext& context,
                                             DeltaSink* sink, bool* delivered) override;

 private:
  // The same answer as this room's other adapters would give it.
  absl::StatusOr<ChatResponse> Admit(ChatResponse given) const;

  const std::unique_ptr<ModelSource> source_;
  const Redactor& redactor_;
};

}  // namespace talon::model
