// SPDX-License-Identifier: Apache-2.0
// A ChatModel over HTTP: writes the request by its wire and runs exchanges. Any number of calls at
// once. Loop's thread; private to the room.
#pragma once

#include <memory>
#include <string>

#include "model/exchange.h"
#include "model/factory.h"
#include "model/options.h"
#include "model/retrying_model.h"
#include "model/wire.h"

namespace talon::model {

class HttpModel : public RetryingModel {
 public:
  HttpModel(std::string provider, ProviderOptions options, std::unique_ptr<WireFormat> wire,
            ModelDependencies dependencies, Sleep sleep);

 protected:
  io::Task<absl::StatusOr<ChatResponse>> Try(const ChatRequest& request, const CallContext& context,
                                             DeltaSink* sink, bool* delivered) override;

 private:
  absl::StatusOr<io::HttpRequest> Build(const ChatRequest& request, Delivery delivery);
  const ModelEntry* Entry(const std::string& model) const;

  const std::unique_ptr<WireFormat> wire_;
  const ExchangeSurroundings around_;
};

}  // namespace talon::model
