// SPDX-License-Identifier: Apache-2.0
#include "cli/line_reader.h"

#include <editline/readline.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/text.h"
#include "cli/report.h"
#include "io/loop.h"
#include "io/one_shot.h"

namespace talon::cli {
namespace {

constexpr int kHistoryLines = 1000;
constexpr int kUnknownCharacter = 0xfffd;
constexpr const char* kPrompt = "> ";

LineReader::State* g_editing = nullptr;  // the line editor's callback can reach nothing else

}  // namespace

struct LineReader::State {
  State(io::Loop& event_loop, std::string file)
      : loop(event_loop),
        input(event_loop.context(), ::dup(STDIN_FILENO)),
        history(std::move(file)),
        interactive(::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1) {}

  // False when the read was interrupted.
  bool WaitForInput() {
    if (leaving || interrupted) return false;
    waiting = std::make_shared<io::OneShot<bool>>();
    // A file, which nobody can wait for, gives an error: it never blocks.
    input.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [waiting = waiting](const boost::system::error_code&) { waiting->Set(true); });
    const bool ready =
        loop.RunUntilDone([](std::shared_ptr<io::OneShot<bool>> wait) -> io::Task<bool> {
          co_return co_await wait->Wait();
        }(waiting));
    waiting = nullptr;
    boost::system::error_code ignored;
    input.cancel(ignored);
    return ready;
  }

  // 0 at the end, or when interrupted.
  std::size_t Read(char* buffer, std::size_t size) {
    while (WaitForInput()) {
      const ssize_t count = ::read(STDIN_FILENO, buffer, size);
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      return count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    return 0;
  }

  // The next character, -1 at the end.
  int ReadCharacter() {
    char byte = 0;
    if (Read(&byte, 1) == 0) return -1;
    const auto first = static_cast<unsigned char>(byte);
    if (first < 0x80) return first;
    const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    if (more == 0) return kUnknownCharacter;
    int value = first & (0x3f >> more);
    for (int i = 0; i < more; ++i) {
      if (Read(&byte, 1) == 0) return -1;
      value = value << 6 | (static_cast<unsigned char>(byte) & 0x3f);
    }
    return value;
  }

  std::optional<std::string> Edited() {
    g_editing = this;
    char* text = ::readline(kPrompt);
    g_editing = nullptr;
    if (text == nullptr && std::exchange(interrupted, false) && !leaving) {
      std::printf("\n(/quit leaves)\n");
      return "";
    }
    if (text == nullptr) return std::nullopt;
    std::string line(text);
    std::free(text);
    if (!TrimSpace(line).empty()) {
      ::add_history(line.c_str());
      ::append_history(1, history.c_str());
    }
    return line;
  }

  std::optional<std::string> Piped() {
    std::size_t end;
    while ((end = unread.find('\n')) == std::string::npos) {
      char buffer[4096];
      const std::size_t size = Read(buffer, sizeof(buffer));
      if (size == 0 && (unread.empty() || leaving || interrupted)) return std::nullopt;
      if (size == 0) unread.push_back('\n');
      unread.append(buffer, size);
    }
    std::string line = unread.substr(0, end);
    unread.erase(0, end + 1);
    Print(kPrompt + line);
    return line;
  }

  io::Loop& loop;
  boost::asio::posix::stream_descriptor input;
  const std::string history;
  const bool interactive;
  std::string unread;
  std::shared_ptr<io::OneShot<bool>> waiting;  // shared with the callback of the wait
  bool interrupted = false;
  bool leaving = false;
};

LineReader::LineReader(io::Loop& loop, std::string history)
    : state_(std::make_unique<State>(loop, std::move(history))) {
  if (!state_->interactive) return;
  // Without it the editor drops every character that is not ASCII. Talon's text is UTF-8 whatever
  // the environment says.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  ::rl_catch_signals = 0;
  ::rl_getc_function = [](FILE*) { return g_editing->ReadCharacter(); };
  ::using_history();
  ::stifle_history(kHistoryLines);
  ::history_truncate_file(state_->history.c_str(), kHistoryLines);
  ::read_history(state_->history.c_str());
}

LineReader::~LineReader() = default;

bool LineReader::interactive() const {
  return state_->interactive;
}

std::optional<std::string> LineReader::Next() {
  std::fflush(stdout);  // what was said is seen while the next line is awaited
  return state_->interactive ? state_->Edited() : state_->Piped();
}

void LineReader::Interrupt() {
  state_->interrupted = true;
  if (state_->waiting != nullptr) state_->waiting->Set(false);
}

void LineReader::Leave() {
  state_->leaving = true;
  if (state_->waiting != nullptr) state_->waiting->Set(false);
}

}  // namespace talon::cli
