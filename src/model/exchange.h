// SPDX-License-Identifier: Apache-2.0
// One request and its answer over HTTP, whatever the wire: streams, whole bodies, refusals, faults
// inside an answer, answers that break off. One try; loop's thread; private to the room.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "base/clock.h"
#include "base/secret.h"
#include "io/http_client.h"
#include "io/sse.h"
#include "io/task.h"
#include "model/answer.h"
#include "model/fault.h"
#include "model/options.h"
#include "model/wire.h"

namespace talon::model {

class Patience;

// What all exchanges of a provider share; outlives them.
struct ExchangeSurroundings {
  io::Loop& loop;
  io::HttpClient& http;
  const Redactor& redactor;
  const Clock& clock;
  const ProviderOptions& options;
};

class Exchange {
 public:
  // `sink` may be null. `name` is for error texts.
  Exchange(const ExchangeSurroundings& around, ModelName name, std::unique_ptr<AnswerReader> reader,
           DeltaSink* sink, CallContext context);
  // Once. With kStream the answer may still come whole: some servers do not stream.
  io::Task<absl::StatusOr<ChatResponse>> Run(io::HttpRequest request, Delivery delivery);
  // Whether the sink was called: from then on nobody may try again.
  bool delivered() const { return answer_.delivered(); }

 private:
  io::Task<absl::Status> ReadStream(io::HttpRequest request);
  io::Task<absl::Status> ReadWhole(io::HttpRequest request);
  io::Task<absl::Status> ReadEvents(io::HttpStream& stream, Patience& patience);
  // Reads a body that came where a stream was expected.
  io::Task<absl::Status> ReadRest(io::HttpStream& stream, Patience& patience);
  // A piece came: the wait for the next one begins.
  void Heard(Patience& patience);
  absl::Status OnPiece(std::string_view piece);
  absl::Status OnEvent(const io::SseEvent& event);
  absl::Status OnBody(std::string_view body);
  absl::Status OnDocument(const Json& document);
  absl::Status Refused(int http_status, const io::Headers& headers, std::string_view body) const;
  // The answer ended too early: why, as far as what came tells.
  absl::Status BrokeOff();
  absl::Status Failed(const absl::Status& error, const Patience* patience) const;
  absl::Status FaultToStatus(const Fault& fault) const;

  const ExchangeSurroundings& around_;
  const ModelName name_;
  const CallContext context_;
  std::unique_ptr<AnswerReader> reader_;
  Answer answer_;
  io::SseParser parser_;
  std::vector<io::SseEvent> events_;
  std::string head_;    // of a stream in which no event was found yet
  bool heard_ = false;  // anything of it
  bool any_event_ = false;
  bool done_ = false;  // the stream said so itself
};

}  // namespace talon::model
