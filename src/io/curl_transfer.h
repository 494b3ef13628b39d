// SPDX-License-Identifier: Apache-2.0
// One HTTP exchange: sets up an easy handle, takes what libcurl delivers, wakes the one coroutine
// that waits. Ends once: complete, failed, cancelled or at its deadline. Internal to io/; loop's
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "io/one_shot.h"

struct curl_slist;

namespace talon::io {

class CurlDriver;

class CurlTransfer {
 public:
  CurlTransfer(CurlDriver& driver, HttpRequest request);
  ~CurlTransfer();
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  // Sets every option of a fresh (or reset) handle.
  absl::Status Configure(void* easy);
  // Ends the transfer when `context` does. Once, after the start.
  void Bind(const CallContext& context);
  // What libcurl said at the end, as a CURLcode.
  void Finish(int curl_code);
  // Ends it now; the first end counts.
  void End(absl::Status status);

  // Until the headers of the final answer are there.
  Task<absl::Status> WaitHeaders();
  Task<absl::StatusOr<std::string>> Read();

  void* easy() const { return easy_; }
  void clear_easy();
  bool paused() const { return paused_; }
  void clear_paused() { paused_ = false; }
  int status() const { return status_; }
  const Headers& headers() const { return headers_; }

 private:
  void SetRequest();
  void SetHeaders();
  void SetPolicy();
  void SetTls();
  template <class Value>
  void Set(int option, Value value);

  friend struct CurlCallbacks;  // what libcurl calls
  bool TakeHeaderLine(std::string_view line);
  bool TakeBody(std::string_view piece);
  bool AddressAllowed(const std::string& address);

  Task<bool> Wait();
  void Wake();

  CurlDriver* driver_;  // null once the driver is gone or the transfer ended
  const HttpRequest request_;
  void* easy_ = nullptr;
  curl_slist* header_list_ = nullptr;
  int set_error_ = 0;
  std::array<char, 256> error_text_{};

  // Of the answer.
  int status_ = 0;
  Headers headers_;
  std::size_t header_bytes_ = 0;
  bool headers_ready_ = false;
  std::string buffer_;
  std::uint64_t body_bytes_ = 0;
  bool paused_ = false;

  bool ended_ = false;
  bool drop_buffer_ = false;  // ended by the caller's context: what is buffered no longer counts
  absl::Status end_status_;
  absl::Status refusal_;  // why a callback of ours stopped libcurl
  TimerId deadline_timer_;
  CancelRegistration cancel_;
  std::optional<OneShot<bool>> wake_;
};

// OK when method, URL and headers can be put on the wire as they are.
absl::Status CheckRequest(const HttpRequest& request);

// "GET https://host/path": no user info, query or fragment.
std::string DescribeRequest(const HttpRequest& request);

}  // namespace talon::io
