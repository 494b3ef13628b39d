// SPDX-License-Identifier: Apache-2.0
// The messages of opentalon.channel.v1 as bytes: the only place of this room that knows protobuf.
// Pure, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace talon::channel {

inline constexpr std::string_view kCapabilities =
    "/opentalon.channel.v1.ChannelService/Capabilities";
inline constexpr std::string_view kConfigure = "/opentalon.channel.v1.ChannelService/Configure";
inline constexpr std::string_view kStart = "/opentalon.channel.v1.ChannelService/Start";
inline constexpr std::string_view kSend = "/opentalon.channel.v1.ChannelService/Send";

struct Capabilities {
  std::string name;
  std::size_t max_message_bytes = 0;  // 0 = no limit
};
absl::StatusOr<Capabilities> DecodeCapabilities(std::string_view bytes);

// `config_json` is an object or empty.
absl::StatusOr<std::string> EncodeConfigure(const std::string& config_json,
                                            const std::string& instance);

// What a person wrote. Which channel it came through is known, not told.
struct Inbound {
  std::string conversation, thread, sender, text;
};
absl::StatusOr<Inbound> DecodeInbound(std::string_view bytes);

// Where answers to a message go, as JSON for the journal and back.
std::string EncodeReplyTo(const Inbound& message);
absl::StatusOr<Inbound> DecodeReplyTo(std::string_view json);

// A piece of an answer to `to`. The same piece has the same `dedupe_key` when it is sent again.
std::string EncodeSend(const Inbound& to, std::string_view text, const std::string& dedupe_key);

}  // namespace talon::channel
