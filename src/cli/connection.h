// SPDX-License-Identifier: Apache-2.0
// The way to a daemon of this home: one that runs is joined, else one is started in this process.
// When it is lost, Open() finds or starts the next. Main thread's loop.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/call_context.h"
#include "base/secret.h"
#include "daemon/paths.h"
#include "io/task.h"

namespace talon::io {
class Loop;
class HttpClient;
}  // namespace talon::io

namespace talon::cli {

class Embedded;

class Connection {
 public:
  // Both must outlive it.
  Connection(io::Loop& loop, io::HttpClient& http);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The token is shown only to a daemon that proves it knows it. A daemon that another process is
  // starting or ending is waited for, some seconds. Errors name the cure: PermissionDenied and
  // InvalidArgument of token and configuration, Unavailable/kTransport of a daemon that does not
  // answer, AlreadyExists/kAlreadyRunning of a process that holds the folder.
  io::Task<absl::Status> Open(CallContext context);
  // From now on Open() starts none.
  void OnlyJoin() { only_joins_ = true; }

  const std::string& base() const { return base_; }  // "http://127.0.0.1:8420"
  const Secret& token() const { return token_; }
  bool embedded() const { return embedded_ != nullptr; }

 private:
  // NotFound when none has announced itself.
  io::Task<absl::Status> Join(const daemon::Paths& paths, const Secret& configured,
                              CallContext context);

  io::Loop& loop_;
  io::HttpClient& http_;
  std::optional<daemon::Announcement> announced_;  // what Join() saw last
  bool only_joins_ = false;
  std::unique_ptr<Embedded> embedded_;
  std::string base_;
  Secret token_;
};

}  // namespace talon::cli
