// SPDX-License-Identifier: Apache-2.0
#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace talon::plugins {
namespace {

constexpr std::uint32_t Ip(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

struct Range4 {
  std::uint32_t base;
  int bits;
  std::string_view what;
};

// IANA's registry of special-purpose IPv4 addresses.
constexpr Range4 kSpecial4[] = {
    {Ip(0, 0, 0, 0), 8, "an address of this host"},
    {Ip(10, 0, 0, 0), 8, "a private address"},
    {Ip(100, 64, 0, 0), 10, "a carrier's shared address"},
    {Ip(127, 0, 0, 0), 8, "a loopback address"},
    {Ip(169, 254, 0, 0), 16, "a link-local address"},
    {Ip(172, 16, 0, 0), 12, "a private address"},
    {Ip(192, 0, 0, 0), 24, "a reserved address"},
    {Ip(192, 0, 2, 0), 24, "a documentation address"},
    {Ip(192, 88, 99, 0), 24, "a relay address"},
    {Ip(192, 168, 0, 0), 16, "a private address"},
    {Ip(198, 18, 0, 0), 15, "a benchmarking address"},
    {Ip(198, 51, 100, 0), 24, "a documentation address"},
    {Ip(203, 0, 113, 0), 24, "a documentation address"},
    {Ip(168, 63, 129, 16), 32, "a cloud metadata address"},
    {Ip(224, 0, 0, 0), 4, "a multicast address"},
    {Ip(240, 0, 0, 0), 4, "a reserved address"},
};

std::string_view WhyNotPublic4(std::uint32_t ip) {
  for (const Range4& range : kSpecial4) {
    const std::uint32_t mask = ~std::uint32_t{0} << (32 - range.bits);
    if ((ip & mask) == range.base) return range.what;
  }
  return {};
}

using Bytes6 = std::array<std::uint8_t, 16>;

std::uint32_t Embedded4(const Bytes6& ip, std::size_t at) {
  return Ip(ip[at], ip[at + 1], ip[at + 2], ip[at + 3]);
}

bool HasPrefix(const Bytes6& ip, std::initializer_list<std::uint8_t> prefix) {
  return std::memcmp(ip.data(), prefix.begin(), prefix.size()) == 0;
}

std::string_view WhyNotPublic6(const Bytes6& ip) {
  if (HasPrefix(ip, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})) return "an IPv4-mapped address";
  // NAT64: reaches the IPv4 address in its last bytes.
  if (HasPrefix(ip, {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) {
    return WhyNotPublic4(Embedded4(ip, 12));
  }
  if (HasPrefix(ip, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) && ip[15] <= 1) {
    return ip[15] == 1 ? "a loopback address" : "an address of this host";
  }
  if (ip[0] == 0xFF) return "a multicast address";
  if (ip[0] == 0xFE && (ip[1] & 0xC0) == 0x80) return "a link-local address";
  if ((ip[0] & 0xFE) == 0xFC) return "a private address";
  if ((ip[0] & 0xE0) != 0x20) return "not a global unicast address";
  if (HasPrefix(ip, {0x20, 0x01}) && ip[2] <= 0x01) return "a reserved address";  // with Teredo
  if (HasPrefix(ip, {0x20, 0x01, 0x0D, 0xB8})) return "a documentation address";
  if (HasPrefix(ip, {0x3F, 0xFF}) && ip[2] < 0x10) return "a documentation address";
  if (HasPrefix(ip, {0x20, 0x02})) return "a 6to4 address";
  return {};
}

}  // namespace

std::string_view WhyNotPublic(const sockaddr* address, socklen_t length) {
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in in = {};
    std::memcpy(&in, address, sizeof in);
    return WhyNotPublic4(ntohl(in.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in = {};
    std::memcpy(&in, address, sizeof in);
    Bytes6 ip;
    std::memcpy(ip.data(), &in.sin6_addr, ip.size());
    return WhyNotPublic6(ip);
  }
  return "no internet address";
}

std::string AddressText(const sockaddr* address, socklen_t length) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in in = {};
    std::memcpy(&in, address, sizeof in);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
  } else if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in = {};
    std::memcpy(&in, address, sizeof in);
    inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
  }
  return text;
}

}  // namespace talon::plugins
