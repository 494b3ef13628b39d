// SPDX-License-Identifier: Apache-2.0
// One HTTP exchange of the HTTP wire: what is sent, and what has come back so far. Lives on the
// wire's thread.
#pragma once

#include <curl/curl.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "mcp/bell.h"
#include "mcp/http_wire.h"
#include "mcp/sse.h"

namespace talon::plugins::mcp {

class Transfer {
 public:
  enum class Kind { kRequest, kNotice, kResume, kListen };

  struct Plan {
    Kind kind = Kind::kRequest;
    std::optional<std::int64_t> request_id;  // of kRequest and kResume
    std::string body;                        // of a POST
    std::vector<std::pair<std::string, std::string>> headers;
    std::string last_event_id;  // of a GET
    int attempts = 0;           // of the same stream before this one, without an event
    std::chrono::milliseconds retry{0};
    bool with_session = false;
  };
  using OnData = std::function<void(Transfer&, std::string data)>;  // one event's data

  Transfer(Plan plan, const HttpOptions& options, OnData on_data);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURL* easy() const { return easy_.get(); }
  const Plan& plan() const { return plan_; }

  // What came back.
  int http_status() const { return status_; }
  bool is_stream() const;
  bool is_json() const;
  const std::string& body() const { return body_; }  // of what is no stream
  const std::string& session_id() const { return session_id_; }
  const std::string& challenge() const { return challenge_; }
  const std::string& location() const { return location_; }
  std::string last_event_id() const;
  std::chrono::milliseconds retry(std::chrono::milliseconds otherwise) const;
  bool saw_event() const { return saw_event_; }
  bool too_large() const { return too_large_; }
  std::string ErrorText(CURLcode code) const;

  bool answered = false;                                  // its request has its answer
  Clock::time_point close_at = Clock::time_point::max();  // when nobody needs it any more

 private:
  struct CleanEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  void AddHeader(const std::string& name, const std::string& value);
  static std::size_t OnHeader(char* data, std::size_t, std::size_t size, void* self);
  static std::size_t OnBody(char* data, std::size_t, std::size_t size, void* self);

  const Plan plan_;
  const HttpOptions& options_;
  const OnData on_data_;
  std::unique_ptr<CURL, CleanEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  char error_[CURL_ERROR_SIZE] = {};

  int status_ = 0;
  std::string content_type_, session_id_, challenge_, location_, body_;
  SseParser parser_;
  bool saw_event_ = false;
  bool too_large_ = false;
};

}  // namespace talon::plugins::mcp
