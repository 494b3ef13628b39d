// SPDX-License-Identifier: Apache-2.0
// What is particular to one provider API: how a request is written and how an answer is read. No
// I/O, no retries: HttpModel does these for all wires alike. Loop's thread; private to the room.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "base/secret.h"
#include "io/http_types.h"
#include "model/answer.h"
#include "model/fault.h"
#include "model/options.h"
#include "model/types.h"

namespace talon::model {

// Reads one answer: the document of a whole one, or those of a stream's events in order. Anything
// may come; what is not understood is ignored.
class AnswerReader {
 public:
  virtual ~AnswerReader() = default;
  // A fault that only this wire knows (FindFault has looked already); nullopt to go on.
  virtual std::optional<Fault> Read(const Json& document, Answer& answer) = 0;
};

// InvalidArgument/kBadRequest for the first of `extra`. Not for a reasoning effort that `reasoning`
// says as well.
absl::Status RefuseExtra(const ChatRequest& request);

enum class Delivery { kWhole, kStream };

class WireFormat {
 public:
  virtual ~WireFormat() = default;
  // Whether the wire can do what the request asks; the error names the member it cannot.
  virtual absl::Status Check(const ChatRequest& request) const { return RefuseExtra(request); }
  virtual absl::StatusOr<std::string> Url(const ChatRequest& request, Delivery delivery) const = 0;
  virtual void AddHeaders(const Secret& api_key, io::Headers& headers) const = 0;
  // `entry` is the configured model, null for one that is not listed.
  virtual std::string Body(const ChatRequest& request, const ModelEntry* entry,
                           Delivery delivery) = 0;
  virtual std::unique_ptr<AnswerReader> NewReader() const = 0;
};

// `provider` is the name reasoning parts carry; `base_url` without a trailing slash.
std::unique_ptr<WireFormat> MakeOpenAiWire(std::string base_url, std::string provider,
                                           const DialectOptions& options);
std::unique_ptr<WireFormat> MakeAnthropicWire(std::string base_url, std::string provider,
                                              std::int64_t default_max_tokens);
std::unique_ptr<WireFormat> MakeGoogleWire(std::string base_url, std::string provider);

// What the wires share.

// `base_url` with `path` before its query, where it has one.
std::string JoinUrl(std::string_view base_url, std::string_view path);
std::string_view HostOf(std::string_view url);  // without port and user

bool ReadsImages(const ModelEntry* entry);
bool HasFeature(const ModelEntry* entry, std::string_view feature);
// The request's wish, else the model's; kDefault where neither says.
ReasoningEffort EffortOf(const ChatRequest& request, const ModelEntry* entry);
std::optional<std::int64_t> MaxTokensOf(const ChatRequest& request, const ModelEntry* entry);

// Names and ids of a history may come from another provider or from a model's fancy; wires refuse
// whole requests over one bad character, so these become '_'.
std::string SafeName(std::string_view name);
// The same for ids, and different ids stay different.
std::string SafeCallId(const std::string& id);

// For wires that want roles to alternate and the system prompt apart. System messages at the head
// of a history join the system prompt; later ones are read as the user's.
std::string SystemText(const ChatRequest& request);
using Turn = std::vector<const Message*>;  // neighbours that go into one message of the wire
bool IsAssistant(const Turn& turn);
std::vector<Turn> TurnsOf(const ChatRequest& request,
                          const std::function<bool(const Message&)>& sendable);
// Said for the user where a history does not begin with him, as it must.
inline constexpr std::string_view kNothingSaid = "…";

// "data:<media type>;base64,…" or the URL.
std::string ImageUrl(const ImagePart& image);
// Stands for an image where the model reads none.
inline constexpr std::string_view kImageOmitted = "[image omitted: this model reads text only]";

// About how many bytes a request will take.
std::size_t EstimateBytes(const ChatRequest& request);

}  // namespace talon::model
