// SPDX-License-Identifier: Apache-2.0
// libcurl's multi handle on the event loop: a descriptor watch per socket, one timer, a pool of
// easy handles. Internal to io/; loop's thread. libcurl's types stay out of headers: a handle is a
// void*, as libcurl itself defines it.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "io/loop.h"
#include "io/options.h"

namespace talon::io {

class CurlTransfer;
class CurlSocket;

class CurlDriver : public std::enable_shared_from_this<CurlDriver> {
 public:
  CurlDriver(Loop& loop, HttpClientOptions options);
  // Ends every transfer as Cancelled.
  ~CurlDriver();
  CurlDriver(const CurlDriver&) = delete;
  CurlDriver& operator=(const CurlDriver&) = delete;

  Loop& loop() { return loop_; }
  const HttpClientOptions& options() const { return options_; }
  const std::string& ca_file() const { return ca_file_; }    // empty = the system's
  const std::string& no_proxy() const { return no_proxy_; }  // loopback always among them

  // Configures a handle for `transfer` and starts it. It is kept until Release.
  absl::Status Start(std::shared_ptr<CurlTransfer> transfer);
  // The transfer ended: its handle goes back to the pool, after the callback under way if there is
  // one (libcurl forbids removal inside).
  void Release(CurlTransfer& transfer);
  // Lets a paused transfer go on. Not from inside a callback.
  void Resume(CurlTransfer& transfer);

 private:
  friend class CurlSocket;
  static int OnSocket(void* easy, int fd, int what, void* self, void*);
  static int OnTimer(void* multi, long timeout_ms, void* self);
  void SetTimer(long timeout_ms);
  void Act(int fd, int events);
  void Reap();
  void Detach(void* easy);

  Loop& loop_;
  const HttpClientOptions options_;
  const std::string ca_file_;
  const std::string no_proxy_;
  void* multi_ = nullptr;
  std::unordered_map<void*, std::shared_ptr<CurlTransfer>> live_;  // by easy handle
  std::unordered_map<int, std::shared_ptr<CurlSocket>> sockets_;
  std::vector<void*> idle_easy_;
  std::vector<void*> ended_in_call_;
  TimerId timer_;
  bool kick_posted_ = false;
  bool kick_wanted_ = false;
  bool in_call_ = false;
};

}  // namespace talon::io
