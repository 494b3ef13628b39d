// SPDX-License-Identifier: Apache-2.0
#include "cli/connection.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "base/digest.h"
#include "base/status.h"
#include "cli/embedded.h"
#include "cli/holder.h"
#include "config/config.h"
#include "gateway/api.h"
#include "io/http_client.h"
#include "io/loop.h"

namespace talon::cli {
namespace {

constexpr std::chrono::seconds kHealthTimeout{2};
constexpr std::size_t kNonceBytes = 24;
// How long a daemon that another process is starting or ending is waited for.
constexpr std::chrono::seconds kPatience{5};

std::string AddressOf(const daemon::Announcement& announced) {
  std::string host = announced.bind;
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return fmt::format("{}:{}", host, announced.port);
}

absl::Status Silent(const daemon::Announcement& announced, const absl::Status& why) {
  const std::string text =
      absl::IsDeadlineExceeded(why)
          ? fmt::format(
                "the daemon of this folder, process {0}, accepts no request at {1}; `kill -CONT "
                "{0}` lets it go on if it was suspended, `kill {0}` ends it",
                announced.pid, AddressOf(announced))
          : fmt::format("the daemon that announced itself at {} (process {}) is not there",
                        AddressOf(announced), announced.pid);
  return MakeError(why.code(), ErrorReason::kTransport, text);
}

absl::Status Stranger(const daemon::Announcement& announced, const daemon::Paths& paths) {
  return MakeError(
      absl::StatusCode::kUnauthenticated, ErrorReason::kTransport,
      fmt::format("what answers at {} does not know the token in '{}'; if the token was changed, "
                  "`kill -HUP {}` lets the daemon read it again",
                  AddressOf(announced), paths.token(), announced.pid));
}

// What is there but does not answer is worth its own words.
absl::Status NotRunning(const absl::Status& joined, const daemon::Paths& paths) {
  if (absl::IsDeadlineExceeded(joined) || absl::IsUnauthenticated(joined)) return joined;
  return MakeError(
      absl::StatusCode::kUnavailable, ErrorReason::kTransport,
      fmt::format("not running: no daemon serves '{}'; `talon serve` starts one", paths.home));
}

// The most useful of why no daemon was joined and why none could be started.
absl::Status Refusal(const absl::Status& joined, const absl::Status& held) {
  if (absl::IsDeadlineExceeded(joined) || absl::IsUnauthenticated(joined)) return joined;
  return MakeError(
      held.code(), ReasonOf(held),
      fmt::format("{}; it did not begin to answer within {} s", Message(held), kPatience.count()));
}

}  // namespace

Connection::Connection(io::Loop& loop, io::HttpClient& http) : loop_(loop), http_(http) {}
Connection::~Connection() = default;

io::Task<absl::Status> Connection::Join(const daemon::Paths& paths, const Secret& configured,
                                        CallContext context) {
  announced_.reset();
  TALON_CO_ASSIGN_OR_RETURN(announced_, daemon::ReadAnnouncement(paths));
  if (configured.empty() && ::access(paths.token().c_str(), F_OK) != 0) {
    co_return Stranger(*announced_, paths);  // to make one is the daemon's part
  }
  TALON_CO_ASSIGN_OR_RETURN(Secret token, daemon::ReadOrMakeToken(paths, configured));
  const std::string base = "http://" + AddressOf(*announced_);
  io::HttpRequest request;
  request.url = base + "/health";
  const std::string nonce = RandomHex(kNonceBytes);
  request.headers.Set("X-Talon-Nonce", nonce);
  const auto health = co_await http_.Fetch(
      std::move(request), context.Until(std::chrono::steady_clock::now() + kHealthTimeout));
  if (!health.ok()) {
    if (absl::IsCancelled(health.status())) co_return health.status();
    co_return Silent(*announced_, health.status());
  }
  if (!ConstantTimeEquals(health->headers.Get("X-Talon-Proof"),
                          gateway::HealthProof(token, nonce))) {
    co_return Stranger(*announced_, paths);
  }
  base_ = base;
  token_ = std::move(token);
  co_return absl::OkStatus();
}

io::Task<absl::Status> Connection::Open(CallContext context) {
  TALON_CO_ASSIGN_OR_RETURN(const daemon::Paths paths, daemon::FindPaths(&std::getenv));
  TALON_CO_ASSIGN_OR_RETURN(const config::Loaded loaded,
                            config::Load(paths.config, paths.config_missing, &std::getenv));
  const CallContext patience = context.Until(std::chrono::steady_clock::now() + kPatience);
  while (true) {
    absl::Status joined = co_await Join(paths, loaded.config.gateway.token, context);
    const bool nobody = absl::IsNotFound(joined) || ReasonOf(joined) == ErrorReason::kTransport;
    if (joined.ok() || !nobody || embedded_ != nullptr) co_return joined;
    if (only_joins_) co_return NotRunning(joined, paths);
    auto started =
        co_await loop_.Blocking([&] { return std::make_unique<Embedded>(loaded, paths); });
    if (started->status().ok()) {
      base_ = fmt::format("http://127.0.0.1:{}", started->port());
      token_ = started->token();
      embedded_ = std::move(started);
      co_return absl::OkStatus();
    }
    const absl::Status held = started->status();
    if (ReasonOf(held) != ErrorReason::kAlreadyRunning) co_return held;
    const absl::Status changed = co_await HolderChanged(loop_, paths, announced_, patience);
    if (absl::IsDeadlineExceeded(changed)) co_return Refusal(joined, held);
    TALON_CO_RETURN_IF_ERROR(changed);
  }
}

}  // namespace talon::cli
