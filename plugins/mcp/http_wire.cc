// SPDX-License-Identifier: Apache-2.0
#include "mcp/http_wire.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <list>
#include <mutex>
#include <thread>

#include "mcp/http_transfer.h"
#include "talon/sdk/log.h"
#include "talon/sdk/text.h"

namespace talon::plugins::mcp {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxShownBody = 300;
constexpr milliseconds kLongWait{3'600'000};  // curl_multi_wakeup ends it

// Printable, one line.
std::string Shown(std::string_view text) {
  std::string out = sdk::RepairUtf8(std::string(sdk::TruncateUtf8(text, kMaxShownBody)));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return out;
}

class HttpWire : public Wire {
 public:
  explicit HttpWire(HttpOptions options)
      : options_(std::move(options)), multi_(curl_multi_init()) {}
  ~HttpWire() override {
    Stop();
    curl_multi_cleanup(multi_);
  }

  absl::Status Start(WireEvents& events) override {
    if (multi_ == nullptr) return absl::InternalError("libcurl cannot be initialised");
    events_ = &events;
    thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }

  absl::Status Send(Outgoing message) override {
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return absl::CancelledError("the connection was ended");
      queued_bytes_ += message.text.size();
      if (queued_bytes_ > options_.limits.max_queued_bytes) {
        queued_bytes_ -= message.text.size();
        return absl::ResourceExhaustedError("too much waits to be sent");
      }
      outgoing_.push_back(std::move(message));
    }
    curl_multi_wakeup(multi_);
    return absl::OkStatus();
  }

  bool Abandon(std::int64_t request_id) override {
    const std::lock_guard lock(mutex_);
    std::erase_if(outgoing_, [&](const Outgoing& message) {
      if (message.request_id != request_id) return false;
      queued_bytes_ -= message.text.size();
      return true;
    });
    abandoned_.push_back(request_id);
    curl_multi_wakeup(multi_);
    return stateless_;
  }

  void SetVersion(const std::string& version, bool stateless) override {
    const std::lock_guard lock(mutex_);
    version_ = version;
    stateless_ = stateless;
  }

  void Listen() override {
    const std::lock_guard lock(mutex_);
    listen_ = true;
    curl_multi_wakeup(multi_);
  }

  bool is_http() const override { return true; }

  void Stop() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    if (!thread_.joinable()) return;
    curl_multi_wakeup(multi_);
    thread_.join();
  }

 private:
  struct Later {
    Clock::time_point at;
    Transfer::Plan plan;
  };

  void Run() {
    BlockPipeSignal();
    while (TakeOrders()) {
      StartDue();
      CloseDue();
      int running = 0;
      curl_multi_perform(multi_, &running);
      const bool finished = FinishDone();
      if (!finished) curl_multi_poll(multi_, nullptr, 0, WaitMs(), nullptr);
    }
    while (!transfers_.empty()) Remove(transfers_.begin());
    EndSession();
  }

  // False when it is time to stop.
  bool TakeOrders() {
    std::vector<std::int64_t> abandoned;
    bool listen = false;
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return false;
      abandoned.swap(abandoned_);
      listen = std::exchange(listen_, false);
    }
    if (listen) Add({.kind = Transfer::Kind::kListen, .headers = {}});
    SendQueued();
    for (const std::int64_t id : abandoned) Forget(id);
    return true;
  }

  // Messages leave in order: one without an answer (such as `initialized`) is delivered before
  // anything after it is sent.
  void SendQueued() {
    while (!NoticeUnderWay()) {
      Outgoing next;
      {
        const std::lock_guard lock(mutex_);
        if (outgoing_.empty()) return;
        next = std::move(outgoing_.front());
        outgoing_.pop_front();
        queued_bytes_ -= next.text.size();
      }
      Add({.kind = next.request_id ? Transfer::Kind::kRequest : Transfer::Kind::kNotice,
           .request_id = next.request_id,
           .body = std::move(next.text),
           .headers = std::move(next.headers)});
    }
  }

  bool NoticeUnderWay() const {
    return std::any_of(transfers_.begin(), transfers_.end(), [](const Transfer& transfer) {
      return transfer.plan().kind == Transfer::Kind::kNotice;
    });
  }

  void Add(Transfer::Plan plan) {
    if (const std::string token = options_.bearer ? options_.bearer() : ""; !token.empty()) {
      plan.headers.emplace_back("Authorization", "Bearer " + token);
    }
    {
      const std::lock_guard lock(mutex_);
      if (!version_.empty()) plan.headers.emplace_back("MCP-Protocol-Version", version_);
      if (!stateless_ && !session_id_.empty()) {
        plan.headers.emplace_back("Mcp-Session-Id", session_id_);
        plan.with_session = true;
      }
    }
    transfers_.emplace_back(
        std::move(plan), options_,
        [this](Transfer& transfer, std::string data) { Deliver(transfer, data); });
    curl_multi_add_handle(multi_, transfers_.back().easy());
  }

  using Iterator = std::list<Transfer>::iterator;

  void Remove(Iterator transfer) {
    curl_multi_remove_handle(multi_, transfer->easy());
    transfers_.erase(transfer);
  }

  void Forget(std::int64_t id) {
    std::erase_if(later_, [&](const Later& later) { return later.plan.request_id == id; });
    for (auto it = transfers_.begin(); it != transfers_.end();) {
      const auto here = it++;
      if (here->plan().request_id == id) Remove(here);
    }
  }

  void StartDue() {
    const auto now = Clock::now();
    std::vector<Transfer::Plan> due;
    std::erase_if(later_, [&](Later& later) {
      if (later.at > now) return false;
      due.push_back(std::move(later.plan));
      return true;
    });
    for (Transfer::Plan& plan : due) Add(std::move(plan));
  }

  void CloseDue() {
    const auto now = Clock::now();
    for (auto it = transfers_.begin(); it != transfers_.end();) {
      const auto here = it++;
      if (here->close_at <= now) Remove(here);
    }
  }

  int WaitMs() const {
    auto until = Clock::now() + kLongWait;
    for (const Later& later : later_) until = std::min(until, later.at);
    for (const Transfer& transfer : transfers_) until = std::min(until, transfer.close_at);
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
    return static_cast<int>(std::max<long>(0, left));
  }

  bool FinishDone() {
    bool any = false;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      CURL* easy = message->easy_handle;
      const auto transfer = std::find_if(transfers_.begin(), transfers_.end(),
                                         [&](const Transfer& item) { return item.easy() == easy; });
      if (transfer == transfers_.end()) continue;
      OnDone(*transfer, code);
      Remove(transfer);
      any = true;
    }
    return any;
  }

  // One event, or a whole body.
  void Deliver(Transfer& transfer, std::string_view text) {
    absl::StatusOr<std::vector<Message>> messages = ParseMessages(text);
    if (!messages.ok()) {
      sdk::Log(sdk::LogLevel::kWarn, fmt::format("server '{}': an event that is no message: {}",
                                                 options_.server, Why(messages.status())));
      return;
    }
    KeepSession(transfer);
    const std::optional<std::int64_t> id = transfer.plan().request_id;
    for (Message& message : *messages) {
      const bool answer =
          message.kind == Message::Kind::kResult || message.kind == Message::Kind::kError;
      if (answer && id && message.id.is_null())
        message.id = *id;  // an error before the id was read
      if (answer && id && message.id == Json(*id)) {
        transfer.answered = true;
        transfer.close_at = Clock::now() + options_.linger;
      }
      events_->OnMessage(std::move(message), id);
    }
  }

  void KeepSession(const Transfer& transfer) {
    const std::lock_guard lock(mutex_);
    if (!transfer.session_id().empty()) session_id_ = transfer.session_id();
  }

  void OnDone(Transfer& transfer, CURLcode code) {
    switch (transfer.plan().kind) {
      case Transfer::Kind::kNotice:
        if (code != CURLE_OK || transfer.http_status() / 100 != 2) {
          sdk::Log(sdk::LogLevel::kInfo, fmt::format("server '{}': a message was not taken: {}",
                                                     options_.server, Reason(transfer, code)));
        }
        return;
      case Transfer::Kind::kListen:
        return OnListenDone(transfer);
      case Transfer::Kind::kRequest:
      case Transfer::Kind::kResume:
        break;
    }
    const bool whole = code == CURLE_OK && !transfer.is_stream();
    if (whole && transfer.http_status() / 100 == 2) Deliver(transfer, transfer.body());
    if (transfer.answered || Resume(transfer)) return;
    if (whole && DeliverError(transfer)) return;
    Fail(transfer, code);
  }

  // A stream that broke off before its answer is taken up again, when the server numbered its
  // events.
  bool Resume(const Transfer& transfer) {
    {
      const std::lock_guard lock(mutex_);
      if (stateless_ || transfer.too_large() || transfer.last_event_id().empty()) return false;
    }
    const Transfer::Plan& plan = transfer.plan();
    const int attempts = transfer.saw_event() ? 0 : plan.attempts + 1;
    if (attempts > options_.max_resumptions) return false;
    if (plan.kind == Transfer::Kind::kRequest && !transfer.is_stream()) return false;
    const bool refused = transfer.http_status() / 100 == 4;
    if (refused) return false;
    const milliseconds wait = transfer.retry(plan.retry.count() > 0 ? plan.retry : options_.retry);
    later_.push_back({Clock::now() + wait,
                      {.kind = Transfer::Kind::kResume,
                       .request_id = plan.request_id,
                       .headers = {},
                       .last_event_id = transfer.last_event_id(),
                       .attempts = attempts,
                       .retry = wait}});
    return true;
  }

  void OnListenDone(const Transfer& transfer) {
    const int status = transfer.http_status();
    if (status / 100 == 4 || (status / 100 == 2 && !transfer.is_stream())) return;  // not offered
    const Transfer::Plan& plan = transfer.plan();
    const int attempts = transfer.saw_event() ? 0 : plan.attempts + 1;
    milliseconds wait = transfer.retry(plan.retry.count() > 0 ? plan.retry : options_.retry);
    const milliseconds retry = wait;
    for (int i = 1; i < attempts && wait < options_.max_retry; ++i) wait *= 2;
    wait = std::min(wait, std::max(retry, options_.max_retry));
    later_.push_back({Clock::now() + wait,
                      {.kind = Transfer::Kind::kListen,
                       .headers = {},
                       .last_event_id = transfer.last_event_id(),
                       .attempts = attempts,
                       .retry = retry}});
  }

  // A JSON-RPC error in the body of an HTTP error says more than the number. Not when the session
  // is lost or a token is asked for: these are for us.
  bool DeliverError(Transfer& transfer) {
    const int status = transfer.http_status();
    const bool lost = status == 404 && transfer.plan().with_session;
    if (lost || status == 401 || status == 403 || status / 100 < 4) return false;
    const absl::StatusOr<std::vector<Message>> messages = ParseMessages(transfer.body());
    if (!messages.ok() || messages->size() != 1 ||
        messages->front().kind != Message::Kind::kError) {
      return false;
    }
    Deliver(transfer, transfer.body());
    return transfer.answered;
  }

  void Fail(const Transfer& transfer, CURLcode code) {
    WireFailure failure{.http_status = transfer.http_status(), .challenge = transfer.challenge()};
    failure.session_lost = failure.http_status == 404 && transfer.plan().with_session;
    const std::string reason = Reason(transfer, code);
    switch (failure.http_status) {
      case 401:
        failure.status = absl::UnauthenticatedError(reason);
        break;
      case 403:
        failure.status = absl::PermissionDeniedError(reason);
        break;
      default:
        failure.status = absl::UnavailableError(reason);
    }
    events_->OnFailure(*transfer.plan().request_id, std::move(failure));
  }

  std::string Reason(const Transfer& transfer, CURLcode code) const {
    const int status = transfer.http_status();
    if (transfer.too_large()) {
      return fmt::format("a message has more than {} bytes", options_.limits.max_message_bytes);
    }
    if (code != CURLE_OK) return transfer.ErrorText(code);
    if (transfer.is_stream()) return "the stream ended without an answer";
    if (status == 401)
      return "HTTP 401: the server asks for a token; give it one in `headers`, or say `oauth`";
    if (status / 100 == 3) {
      return fmt::format("HTTP {}: redirects are not followed; the server is at {}", status,
                         Shown(transfer.location()));
    }
    if (status / 100 == 2) return fmt::format("HTTP {} without an answer", status);
    return fmt::format("HTTP {}: {}", status, Shown(transfer.body()));
  }

  void EndSession() {
    {
      const std::lock_guard lock(mutex_);
      if (stateless_ || session_id_.empty()) return;
      outgoing_.clear();
    }
    Add({.kind = Transfer::Kind::kListen, .headers = {}});
    CURL* easy = transfers_.back().easy();
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.grace.count()));
    int running = 1;
    while (running > 0 && curl_multi_perform(multi_, &running) == CURLM_OK && running > 0) {
      curl_multi_poll(multi_, nullptr, 0, static_cast<int>(options_.grace.count()), nullptr);
    }
    Remove(transfers_.begin());
  }

  const HttpOptions options_;
  CURLM* const multi_;
  WireEvents* events_ = nullptr;
  std::thread thread_;

  std::mutex mutex_;  // guards what follows
  std::deque<Outgoing> outgoing_;
  std::size_t queued_bytes_ = 0;
  std::vector<std::int64_t> abandoned_;
  std::string version_, session_id_;
  bool stateless_ = false;
  bool listen_ = false;
  bool stop_ = false;

  // The wire's thread only:
  std::list<Transfer> transfers_;
  std::vector<Later> later_;
};

}  // namespace

std::unique_ptr<Wire> MakeHttpWire(HttpOptions options) {
  return std::make_unique<HttpWire>(std::move(options));
}

}  // namespace talon::plugins::mcp
