// SPDX-License-Identifier: Apache-2.0
#include "plugin/h2/reply.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "plugin/h2/wire.h"

namespace talon::plugin::h2 {
namespace {

constexpr std::size_t kPrefixBytes = 5;          // compressed flag and length
constexpr std::size_t kHeaderOverhead = 32;      // of each header, as HTTP/2 counts
constexpr std::size_t kFirstReserve = 64 << 10;  // a lying prefix must not cost memory
constexpr int kMaxStatusCode = 16;

int ParseInt(std::string_view text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

bool IsGrpcContentType(std::string_view value) {
  constexpr std::string_view kGrpc = "application/grpc";
  if (!EqualsIgnoreCase(value.substr(0, kGrpc.size()), kGrpc)) return false;
  return value.size() == kGrpc.size() || value[kGrpc.size()] == '+' || value[kGrpc.size()] == ';';
}

}  // namespace

Reply::Reply(std::size_t max_message_bytes, std::size_t max_header_bytes)
    : max_message_bytes_(max_message_bytes), max_header_bytes_(max_header_bytes) {}

void Reply::Fail(absl::Status error) {
  if (done()) return;
  TALON_CHECK(!error.ok());
  outcome_.emplace(std::move(error));
  message_ = {};
}

absl::StatusOr<std::string> Reply::Take() {
  TALON_CHECK(done());
  return *std::move(outcome_);
}

void Reply::Header(std::string_view name, std::string_view value) {
  if (done()) return;
  if (!block_) block_.emplace();
  block_->bytes += name.size() + value.size() + kHeaderOverhead;
  if (block_->bytes > max_header_bytes_) {
    return Fail(Misbehaved(
        fmt::format("the answer's headers exceed the limit of {} bytes", max_header_bytes_)));
  }
  if (name == ":status") block_->http_status = ParseInt(value);
  if (name == "content-type") block_->is_grpc = IsGrpcContentType(value);
  if (name == "grpc-encoding") block_->encoding = value;
  if (name == "grpc-status") block_->grpc_status = value;
  if (name == "grpc-message") block_->grpc_message = value;
}

void Reply::HeadersEnd() {
  if (done()) return;
  const HeaderBlock block = std::exchange(block_, std::nullopt).value_or(HeaderBlock{});
  if (in_body_) return Fail(Misbehaved("the answer has headers in its middle"));
  if (block.http_status >= 100 && block.http_status < 200) return;
  if (block.http_status != 200) {
    return Fail(MakeError(CodeOfHttpStatus(block.http_status), ErrorReason::kPluginMisbehaved,
                          fmt::format("the answer has HTTP status {}", block.http_status)));
  }
  if (!block.is_grpc) return Fail(Misbehaved("the answer's content type is not application/grpc"));
  if (!block.encoding.empty() && block.encoding != "identity") {
    return Fail(Misbehaved("the answer is compressed, which was not offered"));
  }
  in_body_ = true;
}

void Reply::Data(std::string_view bytes) {
  if (done() || bytes.empty()) return;
  if (!in_body_) return Fail(Misbehaved("the answer has data before its headers"));
  if (prefix_.size() < kPrefixBytes) {
    const std::size_t take = std::min(bytes.size(), kPrefixBytes - prefix_.size());
    prefix_.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    if (prefix_.size() < kPrefixBytes) return;
    if (prefix_[0] != 0) {
      return Fail(Misbehaved("the answer is compressed, which was not offered"));
    }
    for (std::size_t i = 1; i < kPrefixBytes; ++i) {
      message_bytes_ = message_bytes_ << 8 | static_cast<unsigned char>(prefix_[i]);
    }
    if (message_bytes_ > max_message_bytes_) {
      return Fail(ResourceExhausted(fmt::format("the answer of {} bytes exceeds the limit of {}",
                                                message_bytes_, max_message_bytes_)));
    }
    message_.reserve(std::min(message_bytes_, kFirstReserve));
  }
  if (bytes.size() > message_bytes_ - message_.size()) {
    return Fail(Misbehaved("the answer has more than one message"));
  }
  message_.append(bytes);
}

void Reply::StreamEnd() {
  if (done()) return;
  if (!block_) return Fail(Misbehaved("the answer ends without a status"));
  // Trailers alone: the first block is also the last.
  if (!in_body_ && (!block_->is_grpc || block_->grpc_status.empty())) {
    if (block_->http_status == 200) {
      return Fail(Misbehaved("the answer has no gRPC status"));
    }
    return Fail(MakeError(CodeOfHttpStatus(block_->http_status), ErrorReason::kPluginMisbehaved,
                          fmt::format("the answer has HTTP status {}", block_->http_status)));
  }
  Finish();
}

void Reply::Finish() {
  const int code = ParseInt(block_->grpc_status);
  if (code < 0 || code > kMaxStatusCode) {
    return Fail(Misbehaved("the answer has no valid gRPC status"));
  }
  if (code != 0) {
    const std::string text = DecodeMessage(block_->grpc_message);
    return Fail(absl::Status(static_cast<absl::StatusCode>(code),
                             text.empty() ? "the plugin gave no reason" : text));
  }
  if (prefix_.empty()) return Fail(Misbehaved("the answer has no message"));
  if (prefix_.size() < kPrefixBytes || message_.size() < message_bytes_) {
    return Fail(Misbehaved("the answer's message is incomplete"));
  }
  outcome_.emplace(std::move(message_));
}

void Reply::Reset(std::uint32_t error_code) {
  if (done()) return;
  const auto code = CodeOfStreamError(error_code);
  const std::string text = fmt::format("the plugin reset the call (HTTP/2 error {})", error_code);
  if (code == absl::StatusCode::kInternal) return Fail(Misbehaved(text));
  Fail(absl::Status(code, text));
}

}  // namespace talon::plugin::h2
