// SPDX-License-Identifier: Apache-2.0
// Sixteen bytes of text looked at together: which of them are of a kind, as a mask with a bit a
// byte, the first byte lowest. Any thread.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace talon {

inline constexpr std::size_t kBlock = 16;

using Bytes16 = unsigned char __attribute__((vector_size(16)));
using Truth16 = decltype(Bytes16{} == Bytes16{});  // all bits of a byte, or none

inline Bytes16 LoadBlock(const char* at) {
  Bytes16 block;
  std::memcpy(&block, at, kBlock);
  return block;
}

inline Bytes16 Every(unsigned char byte) {
  return Bytes16{} + byte;
}

inline unsigned MaskOf(Truth16 truth) {
#if defined(__SSE2__)
  __m128i bits;
  std::memcpy(&bits, &truth, kBlock);
  return static_cast<unsigned>(_mm_movemask_epi8(bits));
#else
  unsigned mask = 0;
  for (std::size_t i = 0; i < kBlock; ++i) mask |= (truth[i] != 0 ? 1u : 0u) << i;
  return mask;
#endif
}

// Takes the lowest bit out of `mask`, which is not 0.
inline std::size_t TakeFirst(unsigned& mask) {
  const auto first = static_cast<std::size_t>(std::countr_zero(mask));
  mask &= mask - 1;
  return first;
}

}  // namespace talon
