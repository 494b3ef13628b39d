// SPDX-License-Identifier: Apache-2.0
#include "plugin/h2/link.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/status.h"

namespace talon::plugin::h2 {
namespace {

constexpr std::size_t kWriteBuffer = 64 << 10;  // produced ahead of a slow peer, at most

}  // namespace

absl::Status ConnectionEnded(std::string_view cause) {
  return MakeError(absl::StatusCode::kUnavailable, ErrorReason::kPluginCrashed, cause);
}

Link::Link(io::Loop& loop, int fd, std::unique_ptr<Tls> tls, const TransportLimits& limits)
    : loop_(loop), socket_(loop.context(), fd), tls_(std::move(tls)), session_(limits) {}

// Asio throws when the kernel cannot watch one more descriptor.
absl::StatusOr<std::shared_ptr<Link>> Link::Create(io::Loop& loop, int fd, std::unique_ptr<Tls> tls,
                                                   const TransportLimits& limits) {
  try {
    auto link = std::make_shared<Link>(loop, fd, std::move(tls), limits);
    link->Flush();
    link->Read();
    return link;
  } catch (const std::exception& error) {
    ::close(fd);
    return Internal(fmt::format("watch a plugin's socket: {}", error.what()));
  }
}

io::Task<absl::Status> Link::Ready(std::shared_ptr<Link> self, CallContext context) {
  if (!self->end_.ok()) co_return self->end_;
  if (self->session_.ready()) co_return absl::OkStatus();
  const auto done = std::make_shared<io::OneShot<absl::Status>>();
  self->ready_ = done;
  const auto timer = self->loop_.CallAt(context.deadline, [done] {
    done->Set(DeadlineExceeded("the plugin did not start HTTP/2 in time"));
  });
  const auto registration =
      context.cancel.OnCancel([done, token = context.cancel] { done->Set(token.status()); });
  const absl::Status status = co_await done->Wait();
  self->loop_.CancelTimer(timer);
  co_return status;
}

void Link::Close(absl::Status reason) {
  if (!end_.ok()) return;
  end_ = std::move(reason);
  boost::system::error_code ignored;
  socket_.close(ignored);
  // The owner hears of the end before the callers do: a call that is tried again finds it known.
  if (on_closed_) loop_.Post(std::exchange(on_closed_, nullptr));
  session_.Fail(end_);
  if (ready_ != nullptr) ready_->Set(end_);
}

void Link::OnClosed(absl::AnyInvocable<void()> callback) {
  if (!end_.ok() && callback) return loop_.Post(std::move(callback));
  on_closed_ = std::move(callback);
}

void Link::Read() {
  socket_.async_read_some(
      boost::asio::buffer(input_),
      [self = shared_from_this()](const boost::system::error_code& error, std::size_t count) {
        self->Received(error, count);
      });
}

void Link::Received(const boost::system::error_code& error, std::size_t count) {
  if (!end_.ok()) return;
  if (error) {
    const bool silent = error == boost::asio::error::eof;
    return Close(ConnectionEnded(silent
                                     ? "the plugin closed the connection"
                                     : fmt::format("the connection broke: {}", error.message())));
  }
  if (absl::Status taken = Take({input_.data(), count}); !taken.ok()) {
    return Close(std::move(taken));
  }
  if (session_.ready() && ready_ != nullptr) {
    std::exchange(ready_, nullptr)->Set(absl::OkStatus());
  }
  Flush();
  if (end_.ok()) Read();
}

absl::Status Link::Take(std::string_view bytes) {
  if (tls_ == nullptr) {
    session_.Receive(bytes);
    return absl::OkStatus();
  }
  std::string plain;
  const absl::Status status = tls_->Receive(bytes, plain);
  if (!plain.empty()) session_.Receive(plain);
  return status;
}

absl::Status Link::Fill() {
  if (tls_ == nullptr) {
    session_.Produce(output_, kWriteBuffer);
    return absl::OkStatus();
  }
  absl::Status status;
  if (tls_->established() && output_.size() < kWriteBuffer) {
    session_.Produce(plain_, kWriteBuffer);
    status = tls_->Send(plain_);
    plain_.clear();
  }
  tls_->Produce(output_);
  return status;
}

void Link::Flush() {
  while (end_.ok() && !waiting_to_write_) {
    if (absl::Status filled = Fill(); !filled.ok()) return Close(std::move(filled));
    if (output_.empty()) break;
    const ssize_t count =
        ::send(socket_.native_handle(), output_.data(), output_.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      output_.erase(0, static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      waiting_to_write_ = true;
      socket_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                         [self = shared_from_this()](const boost::system::error_code&) {
                           self->waiting_to_write_ = false;
                           self->Flush();
                         });
    } else if (errno != EINTR) {
      Close(ConnectionEnded(fmt::format("the connection broke: {}", ::strerror(errno))));
    }
  }
  if (absl::Status end = session_.end(); end_.ok() && !end.ok()) Close(std::move(end));
}

}  // namespace talon::plugin::h2
