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
  unread_ = {};
  unread_at_ = 0;
  message_ = {};
  complete_ = false;
}

std::optional<absl::StatusOr<std::optional<std::string>>> Reply::Next() {
  wanted_ = true;
  if (!complete_) {
    unread_at_ += Parse(std::string_view(unread_).substr(unread_at_));
    if (unread_at_ == unread_.size()) {
      unread_.clear();
      unread_at_ = 0;
    }
  }
  if (complete_) {
    wanted_ = false;
    return TakeMessage();
  }
  if (!done()) return std::nullopt;
  wanted_ = false;
  if (outcome_->ok() && !prefix_.empty()) {
    outcome_ = Misbehaved("the answer's message is incomplete");
  }
  if (!outcome_->ok()) return *outcome_;
  return std::optional<std::string>();
}

std::optional<std::string> Reply::TakeMessage() {
  complete_ = false;
  prefix_.clear();
  return std::exchange(message_, {});
}

std::size_t Reply::TakeUsedBytes() {
  return std::exchange(used_bytes_, 0);
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
  if (done()) return;
  if (!in_body_) return Fail(Misbehaved("the answer has data before its headers"));
  if (wanted_ && !complete_) bytes.remove_prefix(Parse(bytes));
  if (done()) return;
  if (unread_at_ > unread_.size() / 2) unread_.erase(0, std::exchange(unread_at_, 0));
  unread_.append(bytes);
}

// Takes bytes of one message, at most to its end; returns how many.
std::size_t Reply::Parse(std::string_view bytes) {
  const std::size_t of_prefix = std::min(bytes.size(), kPrefixBytes - prefix_.size());
  if (of_prefix > 0) {
    prefix_.append(bytes.substr(0, of_prefix));
    bytes.remove_prefix(of_prefix);
    if (prefix_.size() == kPrefixBytes && !ParsePrefix()) return 0;
  }
  std::size_t of_message = 0;
  if (prefix_.size() == kPrefixBytes) {
    of_message = std::min(bytes.size(), message_bytes_ - message_.size());
    message_.append(bytes.substr(0, of_message));
    complete_ = message_.size() == message_bytes_;
  }
  used_bytes_ += of_prefix + of_message;
  return of_prefix + of_message;
}

bool Reply::ParsePrefix() {
  if (prefix_[0] != 0) {
    Fail(Misbehaved("the answer is compressed, which was not offered"));
    return false;
  }
  message_bytes_ = 0;
  for (std::size_t i = 1; i < kPrefixBytes; ++i) {
    message_bytes_ = message_bytes_ << 8 | static_cast<unsigned char>(prefix_[i]);
  }
  if (message_bytes_ > max_message_bytes_) {
    // Not the caller's fault, and what was asked has been done.
    Fail(MakeError(absl::StatusCode::kResourceExhausted, ErrorReason::kPluginMisbehaved,
                   fmt::format("the answer of {} bytes exceeds the limit of {}", message_bytes_,
                               max_message_bytes_)));
    return false;
  }
  message_.reserve(std::min(message_bytes_, kFirstReserve));
  return true;
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
  const std::string text = code == 0 ? "" : DecodeMessage(block_->grpc_message);
  // Messages that came before an error are still given out.
  outcome_.emplace(static_cast<absl::StatusCode>(code),
                   code == 0 || !text.empty() ? text : "the plugin gave no reason");
}

void Reply::Reset(std::uint32_t error_code) {
  if (done()) return;
  const auto code = CodeOfStreamError(error_code);
  const std::string text = fmt::format("the plugin reset the call (HTTP/2 error {})", error_code);
  if (code == absl::StatusCode::kInternal) return Fail(Misbehaved(text));
  Fail(absl::Status(code, text));
}

}  // namespace talon::plugin::h2
