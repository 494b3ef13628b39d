// SPDX-License-Identifier: Apache-2.0
#include "journal/snapshot_codec.h"

#include <fmt/core.h>
#include <zstd.h>

#include <utility>

#include "base/status.h"

namespace talon::journal {
namespace {

constexpr std::string_view kPlain = "plain";
constexpr std::string_view kZstd = "zstd";
// The fastest regular level: prompts are small and repetitive, higher ones gain a few per cent.
constexpr int kLevel = 1;

}  // namespace

SnapshotCodec::SnapshotCodec(std::size_t compress_from, std::size_t max_size)
    : compress_from_(compress_from), max_size_(max_size) {}
SnapshotCodec::~SnapshotCodec() = default;

void SnapshotCodec::FreeContext::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}

absl::StatusOr<EncodedSnapshot> SnapshotCodec::Encode(std::string content) {
  if (content.size() > max_size_) {
    return ResourceExhausted(
        fmt::format("journal: prompt snapshot: {} bytes exceed {} (journal.max_snapshot)",
                    content.size(), max_size_));
  }
  if (content.size() <= compress_from_) return EncodedSnapshot{kPlain, std::move(content)};
  if (context_ == nullptr) context_.reset(ZSTD_createCCtx());
  if (context_ == nullptr) return EncodedSnapshot{kPlain, std::move(content)};
  std::string packed(ZSTD_compressBound(content.size()), '\0');
  const std::size_t size = ZSTD_compressCCtx(context_.get(), packed.data(), packed.size(),
                                             content.data(), content.size(), kLevel);
  if (ZSTD_isError(size) != 0 || size >= content.size()) {
    return EncodedSnapshot{kPlain, std::move(content)};
  }
  packed.resize(size);
  return EncodedSnapshot{kZstd, std::move(packed)};
}

absl::StatusOr<std::string> SnapshotCodec::Decode(std::string_view codec, std::size_t size,
                                                  std::string bytes) const {
  if (codec == kPlain) return bytes;
  if (codec != kZstd || size > max_size_) {
    return Internal(fmt::format("journal: prompt snapshot: codec '{}', {} bytes", codec, size));
  }
  std::string content(size, '\0');
  const std::size_t got =
      ZSTD_decompress(content.data(), content.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(got) != 0 || got != size) {
    return Internal("journal: prompt snapshot: its stored bytes are damaged");
  }
  return content;
}

}  // namespace talon::journal
