// SPDX-License-Identifier: Apache-2.0
// A provider's answer: whatever bytes come, whole or streamed, on any wire, there is an answer or
// an error. First byte: which wire, and whether it streams; second: where the body is cut.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "io/loop.h"
#include "model/factory.h"
#include "tests/support/fakes/fake_http_client.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

class NullSink : public talon::model::DeltaSink {
 public:
  void OnText(std::string_view text) override {
    if (!talon::IsValidUtf8(text)) std::abort();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  using talon::model::Wire;
  constexpr Wire kWires[] = {Wire::kOpenAi, Wire::kAnthropic, Wire::kGoogle};
  const bool streams = (data[0] & 4) != 0;
  const int status = (data[0] & 8) != 0 ? 400 : 200;
  const std::string body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t cut = data[1] % body.size();

  talon::io::Loop loop;
  talon::fakes::FakeHttpClient http;
  talon::Redactor redactor;
  talon::SystemClock clock;
  talon::model::ProviderOptions options;
  options.api = kWires[(data[0] & 3) % 3];
  options.max_attempts = 1;
  auto model = talon::model::MakeChatModel("fuzz", options, {loop, http, redactor, clock});
  if (!model.ok()) std::abort();
  talon::fakes::FakeReply reply = talon::fakes::Whole(status, body);
  if (streams && status == 200) {
    reply = cut == 0 ? talon::fakes::EventStream({body})
                     : talon::fakes::EventStream({body.substr(0, cut), body.substr(cut)});
  }
  http.Push(std::move(reply));
  talon::model::ChatRequest request;
  request.model = "m";
  request.messages.push_back(
      talon::model::TextMessage(talon::model::Role::kUser, "hi", talon::Integrity::kUser));
  NullSink sink;
  auto answer = loop.RunUntilDone(
      (*model)->Complete(std::move(request), talon::CallContext(), streams ? &sink : nullptr));
  if (answer.ok() && !talon::IsValidUtf8(talon::model::TextOf(answer->message))) std::abort();
  return 0;
}
