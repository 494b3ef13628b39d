// SPDX-License-Identifier: Apache-2.0
#include "io/peer_end.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>

namespace talon::io {
namespace {

constexpr int kProbeIdleSeconds = 60;
constexpr int kProbeIntervalSeconds = 15;
constexpr int kProbes = 3;
constexpr std::uint8_t kReceiveShutdown = 1;  // the kernel's RCV_SHUTDOWN

struct Endpoint {
  std::uint8_t family = AF_UNSPEC;
  std::uint16_t port = 0;  // network order
  std::array<std::uint32_t, 4> words{};
  bool loopback() const {
    if (family == AF_INET) return (ntohl(words[0]) >> 24) == 127;
    return words[0] == 0 && words[1] == 0 && words[2] == 0 && words[3] == htonl(1);
  }
};

// IPv4 in an IPv6 socket is IPv4 to the client's.
Endpoint ReadEndpoint(const sockaddr_storage& storage) {
  Endpoint address;
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    address = {.family = AF_INET, .port = in.sin_port, .words = {in.sin_addr.s_addr}};
  } else if (storage.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(storage);
    address.port = in.sin6_port;
    std::memcpy(address.words.data(), &in.sin6_addr, sizeof(in.sin6_addr));
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&in.sin6_addr) != 0;
    address.family = mapped ? AF_INET : AF_INET6;
    if (mapped) address.words = {address.words[3]};
  }
  return address;
}

struct Request {
  nlmsghdr header{};
  inet_diag_req_v2 body{};
};

Request MakeRequest(const Endpoint& from, const Endpoint& to) {
  Request request;
  request.header.nlmsg_len = sizeof(Request);
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.body.sdiag_family = from.family;
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = ~0U;
  inet_diag_sockid& id = request.body.id;
  id.idiag_sport = from.port;
  id.idiag_dport = to.port;
  std::memcpy(id.idiag_src, from.words.data(), sizeof(id.idiag_src));
  std::memcpy(id.idiag_dst, to.words.data(), sizeof(id.idiag_dst));
  id.idiag_cookie[0] = id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return request;
}

enum class Found { kOpen, kReceiveClosed, kNone };

// What is left of a closed socket (time-wait) has no shutdown attribute.
Found ReadFound(nlmsghdr* header) {
  auto* message = static_cast<inet_diag_msg*>(NLMSG_DATA(header));
  auto* attribute = reinterpret_cast<rtattr*>(message + 1);
  int left = static_cast<int>(header->nlmsg_len) - static_cast<int>(NLMSG_LENGTH(sizeof(*message)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type != INET_DIAG_SHUTDOWN) continue;
    const std::uint8_t shutdown = *static_cast<std::uint8_t*>(RTA_DATA(attribute));
    return (shutdown & kReceiveShutdown) != 0 ? Found::kReceiveClosed : Found::kOpen;
  }
  return Found::kReceiveClosed;
}

// The socket of this machine (of this network namespace) that is bound and connected so; nullopt
// when the kernel does not say.
std::optional<Found> FindSocket(const Endpoint& from, const Endpoint& to) {
  const int netlink = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return std::nullopt;
  const Request request = MakeRequest(from, to);
  alignas(nlmsghdr) std::array<char, 4096> answer{};
  ssize_t size = -1;
  if (::send(netlink, &request, sizeof(request), 0) == sizeof(request)) {
    size = ::recv(netlink, answer.data(), answer.size(), MSG_DONTWAIT);
  }
  ::close(netlink);
  auto* header = reinterpret_cast<nlmsghdr*>(answer.data());
  if (size < 0 || !NLMSG_OK(header, static_cast<std::size_t>(size))) return std::nullopt;
  if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY) return ReadFound(header);
  if (header->nlmsg_type != NLMSG_ERROR) return std::nullopt;
  const auto* error = static_cast<nlmsgerr*>(NLMSG_DATA(header));
  if (error->error == -ENOENT) return Found::kNone;
  return std::nullopt;
}

}  // namespace

PeerEnd AskPeerEnd(int socket) {
  sockaddr_storage ours{};
  sockaddr_storage theirs{};
  socklen_t ours_size = sizeof(ours);
  socklen_t theirs_size = sizeof(theirs);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&ours), &ours_size) != 0) {
    return PeerEnd::kUnknown;
  }
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&theirs), &theirs_size) != 0) {
    return PeerEnd::kGone;  // the connection is no more
  }
  const Endpoint here = ReadEndpoint(ours);
  const Endpoint there = ReadEndpoint(theirs);
  if (here.family == AF_UNSPEC || here.family != there.family) return PeerEnd::kUnknown;
  const std::optional<Found> found = FindSocket(there, here);
  if (!found) return PeerEnd::kUnknown;
  if (*found == Found::kOpen) return PeerEnd::kReads;
  if (*found == Found::kReceiveClosed) return PeerEnd::kGone;
  // Not here: that says something only of a client that must be here, and if the kernel finds any.
  const bool finds_ours = FindSocket(here, there).value_or(Found::kNone) != Found::kNone;
  return there.loopback() && finds_ours ? PeerEnd::kGone : PeerEnd::kUnknown;
}

void ProbePeer(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &kProbeIdleSeconds, sizeof(int));
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &kProbeIntervalSeconds, sizeof(int));
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof(int));
  ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

}  // namespace talon::io
