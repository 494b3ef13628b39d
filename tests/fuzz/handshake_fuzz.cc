// SPDX-License-Identifier: Apache-2.0
// What a plugin process says before and in its answers. The first byte chooses the reader: the
// handshake line, stderr, one gRPC answer, a whole HTTP/2 connection, the messages in it.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "plugin/contract.h"
#include "plugin/h2/reply.h"
#include "plugin/h2/session.h"
#include "plugin/handshake.h"
#include "plugin/manifest.h"
#include "plugin/stderr_log.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kMaxMessage = 4096;

void ReadHandshake(std::string_view text) {
  const auto handshake = ParseHandshake(text, {});
  if (handshake.ok()) TALON_CHECK(handshake->address.starts_with('/'));
  (void)ParseHandshake(text, {.tls = true});
  (void)DecodeCertificate(text);
}

void ReadStderr(std::string_view text) {
  const HostOptions options;
  StderrLog log(options, [](const StderrLine& line) { TALON_CHECK(IsValidUtf8(line.text)); });
  log.Feed(text.substr(0, text.size() / 2), SteadyTime());
  log.Feed(text.substr(text.size() / 2), SteadyTime());
  TALON_CHECK(log.Tail().size() <= options.stderr_tail.value);
}

// Pieces after bytes that say what each is.
void ReadReply(std::string_view text) {
  h2::Reply reply(kMaxMessage, kMaxMessage);
  while (!text.empty()) {
    const auto kind = static_cast<unsigned char>(text[0]);
    const std::size_t size = std::min<std::size_t>(kind >> 3, text.size() - 1);
    const std::string_view piece = text.substr(1, size);
    text.remove_prefix(1 + size);
    const std::size_t colon = std::min(piece.find('=', 1), piece.size());
    if ((kind & 7) <= 2)
      reply.Header(piece.substr(0, colon), piece.substr(std::min(colon + 1, size)));
    if ((kind & 7) == 3) reply.HeadersEnd();
    if ((kind & 7) == 4 || (kind & 7) == 5) reply.Data(piece);
    if ((kind & 7) == 6) reply.StreamEnd();
    if ((kind & 7) == 7) reply.Reset(kind);
    if (const auto next = reply.Next(); next && next->ok() && **next) {
      TALON_CHECK((**next)->size() <= kMaxMessage);
    }
  }
  reply.Reset(0);
  TALON_CHECK(reply.done() && reply.Next());
}

void ReadConnection(std::string_view text) {
  TransportLimits limits;
  limits.max_message_bytes = kMaxMessage;
  h2::Session session(limits);
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(*session.Open("/talon.v1.Plugin/Execute", "", [] {}));
    (void)session.Write(ids.back(), "request");
    if (i > 0) session.CloseWrites(ids.back());
  }
  std::string out;
  session.Produce(out, 1 << 16);
  for (std::size_t at = 0; at < text.size() && session.end().ok(); at += 100) {
    session.Receive(text.substr(at, 100));
    for (const std::int32_t id : ids) {
      const auto next = session.Next(id);
      if (next && next->ok() && **next) TALON_CHECK((**next)->size() <= kMaxMessage);
    }
    out.clear();
    session.Produce(out, 1 << 16);
  }
  session.Fail(absl::UnavailableError("the end"));
  TALON_CHECK(session.calls() == 0);
  for (const std::int32_t id : ids) session.Close(id);
}

void ReadMessages(std::string_view text) {
  (void)DecodeExecute(text);
  const auto bytes = ParseManifestBytes(text, "p", {}, {});
  const auto json = ParseManifestJson(text, "p", {}, {});
  for (const auto* manifest : {&bytes, &json}) {
    if (!manifest->ok()) continue;
    const auto again = ManifestToJson(**manifest);
    TALON_CHECK(again.ok());
    const auto back = ParseManifestJson(*again, "p", {}, {});
    TALON_CHECK(back.ok() && DescribeChange(**manifest, *back).empty());
  }
}

}  // namespace
}  // namespace talon::plugin

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace talon::plugin;  // NOLINT
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'h':
      ReadHandshake(text);
      break;
    case 'e':
      ReadStderr(text);
      break;
    case 'r':
      ReadReply(text);
      break;
    case 'c':
      ReadConnection(text);
      break;
    default:
      ReadMessages(text);
  }
  return 0;
}
