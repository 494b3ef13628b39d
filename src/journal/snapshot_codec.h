// SPDX-License-Identifier: Apache-2.0
// Prompt snapshots between text and what is stored: zstd where that is worth it. Event loop's
// thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct ZSTD_CCtx_s;

namespace talon::journal {

struct EncodedSnapshot {
  std::string_view codec;  // "plain" or "zstd"
  std::string bytes;
};

class SnapshotCodec {
 public:
  // Contents of more than `compress_from` bytes are compressed; none may exceed `max_size`.
  SnapshotCodec(std::size_t compress_from, std::size_t max_size);
  ~SnapshotCodec();

  // ResourceExhausted beyond `max_size`.
  absl::StatusOr<EncodedSnapshot> Encode(std::string content);
  // `size` is the content's. Internal when the bytes are damaged.
  absl::StatusOr<std::string> Decode(std::string_view codec, std::size_t size,
                                     std::string bytes) const;

 private:
  struct FreeContext {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  const std::size_t compress_from_;
  const std::size_t max_size_;
  // Kept between calls: making one costs more than compressing a prompt.
  std::unique_ptr<ZSTD_CCtx_s, FreeContext> context_;
};

}  // namespace talon::journal
