// SPDX-License-Identifier: Apache-2.0
#include "mcp/stdio_wire.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <string_view>
#include <thread>

#include "talon/sdk/log.h"
#include "talon/sdk/text.h"

namespace talon::plugins::mcp {
namespace {

constexpr std::size_t kChunk = 64 << 10;
constexpr std::size_t kMaxLogLine = 1'000;
constexpr std::size_t kTail = 400;  // of stderr, kept for the reason of an unexpected end

class StdioWire : public Wire {
 public:
  explicit StdioWire(StdioOptions options) : options_(std::move(options)) {}
  ~StdioWire() override { Stop(); }

  absl::Status Start(WireEvents& events) override {
    events_ = &events;
    // The child dies with the thread that starts it: that is the wire's own.
    Bell started;
    absl::Status status;
    thread_ = std::thread([&] {
      absl::StatusOr<Child> child = Child::Start(options_.child);
      status = child.status();
      const bool ok = child.ok();
      started.Ring();
      if (ok) Run(*child);
    });
    started.Wait(-1, Clock::time_point::max());
    if (!status.ok()) thread_.join();
    return status;
  }

  absl::Status Send(Outgoing message) override {
    const std::lock_guard lock(mutex_);
    if (over_) return absl::UnavailableError("the process has ended");
    if (queue_.size() + message.text.size() > options_.limits.max_queued_bytes) {
      return absl::ResourceExhaustedError("the process does not read its messages");
    }
    queue_ += message.text;
    queue_ += '\n';
    bell_.Ring();
    return absl::OkStatus();
  }

  bool Abandon(std::int64_t) override { return false; }
  void SetVersion(const std::string&, bool) override {}
  void Listen() override {}
  bool is_http() const override { return false; }

  void Stop() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      bell_.Ring();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run(Child& child) {
    BlockPipeSignal();
    std::string why;
    while (why.empty() && !Stopping()) why = Step(child);
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    const bool asked = Stopping();
    const std::string end = child.Stop(options_.grace);
    ReadErrors(child);
    if (asked) return;
    if (!tail_.empty()) end_note_ = fmt::format("; its last words: {}", sdk::RepairUtf8(tail_));
    events_->OnClosed(absl::UnavailableError(fmt::format("{} ({}){}", why, end, end_note_)));
  }

  bool Stopping() {
    const std::lock_guard lock(mutex_);
    return stop_;
  }

  // Waits for something and does it; answers why the connection is over, when it is.
  std::string Step(Child& child) {
    bool writing = false;
    {
      const std::lock_guard lock(mutex_);
      writing = !queue_.empty();
    }
    pollfd fds[] = {{bell_.fd(), POLLIN, 0},
                    {child.out(), POLLIN, 0},
                    {err_open_ ? child.err() : -1, POLLIN, 0},
                    {writing ? child.in() : -1, POLLOUT, 0}};
    if (poll(fds, 4, -1) < 0 && errno != EINTR) return "poll failed";
    if (fds[0].revents != 0) bell_.Take();
    if (fds[3].revents != 0 && !Write(child)) return "the process closed its stdin";
    if (fds[2].revents != 0) ReadErrors(child);
    if (fds[1].revents != 0) return Read(child);
    return "";
  }

  bool Write(Child& child) {
    const std::lock_guard lock(mutex_);
    const ssize_t n = write(child.in(), queue_.data(), std::min(queue_.size(), kChunk));
    if (n > 0) queue_.erase(0, static_cast<std::size_t>(n));
    return n > 0 || errno == EAGAIN || errno == EINTR;
  }

  std::string Read(Child& child) {
    std::array<char, kChunk> chunk;
    const ssize_t n = read(child.out(), chunk.data(), chunk.size());
    if (n < 0) return errno == EAGAIN || errno == EINTR ? "" : "reading failed";
    if (n == 0) return "the process closed its stdout";
    std::string_view rest(chunk.data(), static_cast<std::size_t>(n));
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      line_ += rest.substr(0, end);
      if (line_.size() > options_.limits.max_message_bytes) {
        return fmt::format("a message has more than {} bytes", options_.limits.max_message_bytes);
      }
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
      if (!OnLine()) return fmt::format("{} lines that are no message", garbage_);
      line_.clear();
    }
    return "";
  }

  // False after too much garbage. Servers print banners on stdout; a few lines do no harm.
  bool OnLine() {
    if (line_.find_first_not_of(" \t\r") == std::string::npos) return true;
    absl::StatusOr<std::vector<Message>> messages = ParseMessages(line_);
    if (!messages.ok()) {
      sdk::Log(sdk::LogLevel::kWarn, fmt::format("server '{}': a line on stdout is no message: {}",
                                                 options_.server, Why(messages.status())));
      return ++garbage_ < options_.limits.max_garbage;
    }
    garbage_ = 0;
    for (Message& message : *messages) events_->OnMessage(std::move(message), std::nullopt);
    return true;
  }

  void ReadErrors(Child& child) {
    std::array<char, kChunk> chunk;
    const ssize_t n = read(child.err(), chunk.data(), chunk.size());
    if (n == 0) err_open_ = false;
    if (n <= 0) return;
    const std::string_view text(chunk.data(), static_cast<std::size_t>(n));
    tail_ += text;
    if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
    for (const char c : text) {
      if (c == '\n' || err_line_.size() >= kMaxLogLine) LogErrorLine();
      if (c != '\n') err_line_ += c;
    }
  }

  void LogErrorLine() {
    if (!err_line_.empty() && logged_++ < options_.max_stderr_lines) {
      sdk::Log(sdk::LogLevel::kDebug,
               fmt::format("server '{}': {}", options_.server, sdk::RepairUtf8(err_line_)));
    }
    err_line_.clear();
  }

  const StdioOptions options_;
  WireEvents* events_ = nullptr;
  Bell bell_;
  std::thread thread_;

  std::mutex mutex_;  // guards the next three
  std::string queue_;
  bool stop_ = false;
  bool over_ = false;

  // The wire's thread only:
  std::string line_, err_line_, tail_, end_note_;
  bool err_open_ = true;
  int garbage_ = 0;
  std::size_t logged_ = 0;
};

}  // namespace

std::unique_ptr<Wire> MakeStdioWire(StdioOptions options) {
  return std::make_unique<StdioWire>(std::move(options));
}

}  // namespace talon::plugins::mcp
