// SPDX-License-Identifier: Apache-2.0
#include "plugin/handshake.h"

#include <fmt/format.h>

#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "plugin/h2/wire.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kMaxQuoted = 120;
constexpr std::size_t kMaxFields = 16;  // of which seven mean something
constexpr std::size_t kLeastCert = 50;  // shorter is what old plugins put there without TLS

std::string Quoted(std::string_view text) {
  return fmt::format("'{}'", h2::CleanText(text, kMaxQuoted));
}

std::vector<std::string_view> Split(std::string_view line) {
  std::vector<std::string_view> fields;
  while (fields.size() < kMaxFields) {
    const std::size_t bar = line.find('|');
    fields.push_back(TrimSpace(line.substr(0, bar)));
    if (bar == std::string_view::npos) break;
    line.remove_prefix(bar + 1);
  }
  return fields;
}

absl::Status CheckAddress(std::string_view network, std::string_view address) {
  if (network == "tcp") {
    return absl::UnimplementedError(fmt::format(
        "handshake: the plugin serves on TCP ({}); only Unix sockets are supported", address));
  }
  if (network != "unix") {
    return InvalidArgument(
        fmt::format("handshake: network {} is not known; it must be unix", Quoted(network)));
  }
  if (address.empty() || address.front() != '/' || address.find('\0') != std::string_view::npos) {
    return InvalidArgument(
        fmt::format("handshake: socket path {} is not absolute", Quoted(address)));
  }
  return absl::OkStatus();
}

absl::StatusOr<Handshake> ParseGoPlugin(const std::vector<std::string_view>& fields) {
  if (fields[0] != "1") {
    return InvalidArgument(fmt::format("handshake: core protocol {} is not supported; it must be 1",
                                       Quoted(fields[0])));
  }
  if (fields[1] != fmt::format("{}", kAppProtocol)) {
    return InvalidArgument(
        fmt::format("handshake: the plugin speaks protocol version {}, this daemon version {}",
                    Quoted(fields[1]), kAppProtocol));
  }
  TALON_RETURN_IF_ERROR(CheckAddress(fields[2], fields[3]));
  const std::string_view protocol = fields.size() > 4 ? fields[4] : "netrpc";
  if (protocol != "grpc") {
    return absl::UnimplementedError(
        fmt::format("handshake: the plugin speaks {}; only grpc is supported", Quoted(protocol)));
  }
  if (fields.size() > 5 && fields[5].size() > kLeastCert) {
    return absl::UnimplementedError(
        "handshake: the plugin asks for TLS, which was not offered on its Unix socket");
  }
  if (fields.size() > 6 && fields[6] == "true") {
    return absl::UnimplementedError(
        "handshake: the plugin multiplexes its socket, which was not offered");
  }
  return Handshake{Dialect::kGoPlugin, std::string(fields[3]), ""};
}

}  // namespace

absl::StatusOr<Handshake> ParseHandshake(std::string_view line) {
  const std::vector<std::string_view> fields = Split(TrimSpace(line));
  const bool opentalon = fields.size() >= 3 && (fields[1] == "unix" || fields[1] == "tcp");
  if (opentalon) {
    if (fields[0] != "1") {
      return InvalidArgument(
          fmt::format("handshake: OpenTalon protocol version {} is not known", Quoted(fields[0])));
    }
    TALON_RETURN_IF_ERROR(CheckAddress(fields[1], fields[2]));
    return Handshake{Dialect::kOpenTalon, std::string(fields[2]),
                     std::string(fields.size() > 3 ? fields[3] : "")};
  }
  if (fields.size() < 4) {
    return InvalidArgument(
        fmt::format("handshake: {} is no handshake; expected 1|1|unix|/path|grpc on stdout "
                    "before anything else",
                    Quoted(line)));
  }
  return ParseGoPlugin(fields);
}

}  // namespace talon::plugin
