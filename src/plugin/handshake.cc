// SPDX-License-Identifier: Apache-2.0
#include "plugin/handshake.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "plugin/h2/wire.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kMaxShown = 120;
constexpr std::size_t kMaxFields = 16;  // of which seven mean something
constexpr std::size_t kLeastCert = 50;  // shorter is what old plugins put there without TLS

std::string Shown(std::string_view text) {
  return fmt::format("'{}'", h2::CleanText(text, kMaxShown));
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

std::string Joined(const std::vector<int>& versions) {
  return fmt::format("{}", fmt::join(versions, ", "));
}

bool IsLoopback(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("[::1]:");
}

// Network and address, which both dialects tell alike.
absl::StatusOr<Handshake> ReadAddress(std::string_view network, std::string_view address,
                                      const Offer& offer, Dialect dialect) {
  Handshake handshake;
  handshake.dialect = dialect;
  handshake.address = address;
  if (network == "tcp") {
    handshake.network = Endpoint::Network::kTcp;
    if (offer.tls || (offer.plain_tcp && IsLoopback(address))) return handshake;
    if (offer.plain_tcp) {
      return PermissionDenied(
          fmt::format("handshake: the plugin serves on TCP address {} without TLS; only a loopback "
                      "address may",
                      Shown(address)));
    }
    // OpenTalon's contract knows no TLS.
    const bool can = dialect != Dialect::kOpenTalon;
    return FailedPrecondition(
        fmt::format("handshake: the plugin serves on TCP address {} without TLS; set {}`mtls: off` "
                    "to take a loopback address as it is",
                    Shown(address), can ? "`mtls: required` for it, or " : ""));
  }
  if (network != "unix") {
    return InvalidArgument(
        fmt::format("handshake: network {} is not known; it must be unix or tcp", Shown(network)));
  }
  if (address.empty() || address.front() != '/' || address.find('\0') != std::string_view::npos) {
    return InvalidArgument(
        fmt::format("handshake: socket path {} is not absolute", Shown(address)));
  }
  return handshake;
}

absl::Status CheckVersions(std::string_view core, std::string_view app, const Offer& offer) {
  if (core != "1") {
    return InvalidArgument(
        fmt::format("handshake: core protocol {} is not supported; it must be 1", Shown(core)));
  }
  const auto same = [app](int version) { return app == std::to_string(version); };
  if (!std::ranges::any_of(offer.versions, same)) {
    return InvalidArgument(
        fmt::format("handshake: the plugin speaks protocol version {}, this daemon version {}",
                    Shown(app), Joined(offer.versions)));
  }
  return absl::OkStatus();
}

absl::StatusOr<Handshake> ParseGoPlugin(const std::vector<std::string_view>& fields,
                                        const Offer& offer) {
  TALON_RETURN_IF_ERROR(CheckVersions(fields[0], fields[1], offer));
  TALON_ASSIGN_OR_RETURN(Handshake handshake,
                         ReadAddress(fields[2], fields[3], offer, Dialect::kGoPlugin));
  const std::string_view protocol = fields.size() > 4 ? fields[4] : "netrpc";
  if (protocol != "grpc") {
    return absl::UnimplementedError(
        fmt::format("handshake: the plugin speaks {}; only grpc is supported", Shown(protocol)));
  }
  if (fields.size() > 5 && fields[5].size() > kLeastCert) handshake.certificate = fields[5];
  if (!offer.tls && !handshake.certificate.empty()) {
    return absl::UnimplementedError(
        "handshake: the plugin asks for TLS, which was not offered; set `mtls: required` for it");
  }
  if (offer.tls && handshake.certificate.empty()) {
    return PermissionDenied(
        "handshake: the plugin returned no certificate, and its entry says `mtls: required`");
  }
  if (fields.size() > 6 && fields[6] == "true") {
    return absl::UnimplementedError(
        "handshake: the plugin multiplexes its socket, which was not offered");
  }
  return handshake;
}

absl::StatusOr<Handshake> ParseOpenTalon(const std::vector<std::string_view>& fields,
                                         const Offer& offer) {
  if (fields[0] != "1") {
    return InvalidArgument(
        fmt::format("handshake: OpenTalon protocol version {} is not known", Shown(fields[0])));
  }
  if (offer.tls) {
    return PermissionDenied(
        "handshake: OpenTalon plugins know no TLS, and this one's entry says `mtls: required`");
  }
  return ReadAddress(fields[1], fields[2], offer, Dialect::kOpenTalon);
}

}  // namespace

absl::StatusOr<Handshake> ParseHandshake(std::string_view line, const Offer& offer) {
  const std::vector<std::string_view> fields = Split(TrimSpace(line));
  const bool opentalon = fields.size() >= 3 && (fields[1] == "unix" || fields[1] == "tcp");
  if (opentalon) return ParseOpenTalon(fields, offer);
  if (fields.size() < 4) {
    return InvalidArgument(
        fmt::format("handshake: {} is no handshake; expected 1|1|unix|/path|grpc on stdout "
                    "before anything else",
                    Shown(line)));
  }
  return ParseGoPlugin(fields, offer);
}

}  // namespace talon::plugin
