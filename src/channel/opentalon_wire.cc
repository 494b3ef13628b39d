// SPDX-License-Identifier: Apache-2.0
#include "channel/opentalon_wire.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "opentalon/channel/v1/channel.pb.h"

namespace talon::channel {
namespace {

namespace theirs = ::opentalon::channel::v1;

template <class Message>
absl::StatusOr<Message> Parse(std::string_view bytes, std::string_view what) {
  Message message;
  if (message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return message;
  return MakeError(absl::StatusCode::kInternal, ErrorReason::kPluginMisbehaved,
                   fmt::format("the channel sent no valid {}", what));
}

}  // namespace

absl::StatusOr<Capabilities> DecodeCapabilities(std::string_view bytes) {
  TALON_ASSIGN_OR_RETURN(const auto told,
                         Parse<theirs::ChannelCapabilities>(bytes, "ChannelCapabilities"));
  Capabilities capabilities;
  capabilities.name = told.name();
  if (told.max_message_length() > 0) {
    capabilities.max_message_bytes = static_cast<std::size_t>(told.max_message_length());
  }
  return capabilities;
}

absl::StatusOr<std::string> EncodeConfigure(const std::string& config_json,
                                            const std::string& instance) {
  theirs::ConfigureRequest request;
  request.set_instance_id(instance);
  if (!config_json.empty()) {
    const auto status =
        google::protobuf::util::JsonStringToMessage(config_json, request.mutable_config());
    if (!status.ok()) return InvalidArgument("config: it must be a mapping");
  }
  return request.SerializeAsString();
}

absl::StatusOr<Inbound> DecodeInbound(std::string_view bytes) {
  TALON_ASSIGN_OR_RETURN(const auto message,
                         Parse<theirs::InboundMessage>(bytes, "InboundMessage"));
  return Inbound{message.conversation_id(), message.thread_id(), message.sender_id(),
                 message.content()};
}

std::string EncodeReplyTo(const Inbound& message) {
  return DumpJson({{"conversation", message.conversation},
                   {"thread", message.thread},
                   {"sender", message.sender}});
}

absl::StatusOr<Inbound> DecodeReplyTo(std::string_view text) {
  TALON_ASSIGN_OR_RETURN(const Json json, ParseJson(text, "reply_to"));
  return Inbound{JsonString(json, "conversation"), JsonString(json, "thread"),
                 JsonString(json, "sender"), ""};
}

std::string EncodeSend(const Inbound& to, std::string_view text, const std::string& dedupe_key) {
  theirs::OutboundMessage message;
  message.set_conversation_id(to.conversation);
  message.set_thread_id(to.thread);
  message.set_content(RepairUtf8(text));
  (*message.mutable_metadata())["dedupe_key"] = dedupe_key;
  return message.SerializeAsString();
}

}  // namespace talon::channel
