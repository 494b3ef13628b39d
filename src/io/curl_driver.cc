// SPDX-License-Identifier: Apache-2.0
#include "io/curl_driver.h"

#include <curl/curl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdlib>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "io/curl_transfer.h"

namespace talon::io {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// What the environment exempts from proxies, as libcurl reads it, and every loopback address.
std::string NoProxy() {
  std::string hosts = Variable("no_proxy");
  if (hosts.empty()) hosts = Variable("NO_PROXY");
  if (hosts == "*") return hosts;
  if (!hosts.empty()) hosts += ",";
  return hosts + "localhost,127.0.0.0/8,::1";
}

}  // namespace

// Watches one of libcurl's sockets. Shared with the waits under way, which outlive it by one loop
// iteration; libcurl owns the descriptor.
class CurlSocket : public std::enable_shared_from_this<CurlSocket> {
 public:
  CurlSocket(CurlDriver& driver, int fd)
      : driver_(&driver), fd_(fd), descriptor_(driver.loop().context()) {}

  bool Open() {
    boost::system::error_code error;
    descriptor_.assign(fd_, error);
    return !error;
  }

  void Watch(int what) {
    wanted_ = what;
    if ((wanted_ & CURL_POLL_IN) != 0 && !std::exchange(reading_, true)) {
      Wait(Descriptor::wait_read, reading_, CURL_POLL_IN, CURL_CSELECT_IN);
    }
    if ((wanted_ & CURL_POLL_OUT) != 0 && !std::exchange(writing_, true)) {
      Wait(Descriptor::wait_write, writing_, CURL_POLL_OUT, CURL_CSELECT_OUT);
    }
  }

  void Close() {
    driver_ = nullptr;
    descriptor_.release();
  }

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;

  void Wait(Descriptor::wait_type type, bool& waiting, int poll, int select) {
    descriptor_.async_wait(type, [self = shared_from_this(), &waiting, poll,
                                  select](const boost::system::error_code& error) {
      waiting = false;
      if (self->driver_ == nullptr || (self->wanted_ & poll) == 0) return;
      self->driver_->Act(self->fd_, error ? CURL_CSELECT_ERR : select);
      if (self->driver_ != nullptr && !error) self->Watch(self->wanted_);
    });
  }

  CurlDriver* driver_;  // null once closed
  const int fd_;
  Descriptor descriptor_;
  int wanted_ = 0;
  bool reading_ = false;
  bool writing_ = false;
};

CurlDriver::CurlDriver(Loop& loop, HttpClientOptions options)
    : loop_(loop),
      options_(std::move(options)),
      ca_file_(options_.ca_file.empty() ? Variable("SSL_CERT_FILE") : options_.ca_file),
      no_proxy_(NoProxy()) {
  ::curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_ = ::curl_multi_init();
  TALON_CHECK(multi_ != nullptr);
  ::curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlDriver::OnSocket);
  ::curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  ::curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlDriver::OnTimer);
  ::curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  ::curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS,
                      static_cast<long>(options_.max_connections_per_host));
  ::curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS,
                      static_cast<long>(options_.max_idle_connections));
}

CurlDriver::~CurlDriver() {
  TALON_CHECK(!in_call_);
  while (!live_.empty()) {
    const auto transfer = live_.begin()->second;
    transfer->End(Cancelled("http client stopped"));
  }
  for (void* easy : idle_easy_) ::curl_easy_cleanup(easy);
  ::curl_multi_cleanup(multi_);
  loop_.CancelTimer(timer_);
  for (const auto& [fd, socket] : sockets_) socket->Close();
  ::curl_global_cleanup();
}

absl::Status CurlDriver::Start(std::shared_ptr<CurlTransfer> transfer) {
  void* easy = nullptr;
  if (idle_easy_.empty()) {
    easy = ::curl_easy_init();
    if (easy == nullptr) return ResourceExhausted("http client: out of memory for a transfer");
  } else {
    easy = idle_easy_.back();
    idle_easy_.pop_back();
  }
  absl::Status status = transfer->Configure(easy);
  live_.emplace(easy, transfer);
  if (status.ok()) {
    const CURLMcode code = ::curl_multi_add_handle(multi_, easy);
    if (code != CURLM_OK) status = Internal(::curl_multi_strerror(code));
  }
  if (!status.ok()) {
    transfer->End(status);
    return status;
  }
  Act(CURL_SOCKET_TIMEOUT, 0);  // the new handle is due at once; no need to wait for the timer
  return absl::OkStatus();
}

void CurlDriver::Release(CurlTransfer& transfer) {
  if (in_call_) {
    ended_in_call_.push_back(transfer.easy());
  } else {
    Detach(transfer.easy());
  }
}

void CurlDriver::Resume(CurlTransfer& transfer) {
  TALON_CHECK(!in_call_);
  in_call_ = true;
  transfer.clear_paused();
  const CURLcode code = ::curl_easy_pause(transfer.easy(), CURLPAUSE_CONT);
  in_call_ = false;
  if (code != CURLE_OK) transfer.Finish(code);
  Reap();
}

int CurlDriver::OnSocket(void*, int fd, int what, void* self, void*) {
  auto& driver = *static_cast<CurlDriver*>(self);
  const auto known = driver.sockets_.find(fd);
  if (what == CURL_POLL_REMOVE) {
    if (known == driver.sockets_.end()) return 0;
    known->second->Close();
    driver.sockets_.erase(known);
    return 0;
  }
  if (known != driver.sockets_.end()) {
    known->second->Watch(what);
    return 0;
  }
  const auto socket = std::make_shared<CurlSocket>(driver, fd);
  if (!socket->Open()) return -1;
  driver.sockets_.emplace(fd, socket);
  socket->Watch(what);
  return 0;
}

int CurlDriver::OnTimer(void*, long timeout_ms, void* self) {
  static_cast<CurlDriver*>(self)->SetTimer(timeout_ms);
  return 0;
}

void CurlDriver::SetTimer(long timeout_ms) {
  loop_.CancelTimer(std::exchange(timer_, {}));
  kick_wanted_ = timeout_ms == 0;
  if (timeout_ms > 0) {
    timer_ = loop_.CallAt(std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms),
                          [this] {
                            timer_ = {};
                            Act(CURL_SOCKET_TIMEOUT, 0);
                          });
  } else if (kick_wanted_ && !std::exchange(kick_posted_, true)) {
    loop_.Post([weak = weak_from_this()] {
      const auto driver = weak.lock();
      if (!driver) return;
      driver->kick_posted_ = false;
      if (std::exchange(driver->kick_wanted_, false)) driver->Act(CURL_SOCKET_TIMEOUT, 0);
    });
  }
}

void CurlDriver::Act(int fd, int events) {
  TALON_CHECK(!in_call_);
  const auto self = shared_from_this();
  if (fd == CURL_SOCKET_TIMEOUT) kick_wanted_ = false;
  in_call_ = true;
  int running = 0;
  ::curl_multi_socket_action(multi_, fd, events, &running);
  in_call_ = false;
  Reap();
}

// Ends what libcurl finished and detaches what ended inside a callback.
void CurlDriver::Reap() {
  int left = 0;
  while (const CURLMsg* message = ::curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const auto transfer = live_.find(message->easy_handle);
    if (transfer == live_.end()) continue;
    const auto keep = transfer->second;
    keep->Finish(message->data.result);
  }
  for (void* easy : std::exchange(ended_in_call_, {})) Detach(easy);
}

void CurlDriver::Detach(void* easy) {
  const auto entry = live_.find(easy);
  if (entry == live_.end()) return;
  const auto transfer = std::move(entry->second);
  live_.erase(entry);
  ::curl_multi_remove_handle(multi_, easy);
  ::curl_easy_reset(easy);
  transfer->clear_easy();
  if (idle_easy_.size() < options_.max_idle_connections) {
    idle_easy_.push_back(easy);
  } else {
    ::curl_easy_cleanup(easy);
  }
}

}  // namespace talon::io
