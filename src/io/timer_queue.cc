// SPDX-License-Identifier: Apache-2.0
#include "io/timer_queue.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/check.h"

namespace talon::io {
namespace {

constexpr std::chrono::seconds kSoon{1};

}  // namespace

struct TimerQueue::Descriptor {
  Descriptor(boost::asio::io_context& context, int fd) : stream(context, fd) {}
  boost::asio::posix::stream_descriptor stream;
};

TimerQueue::TimerQueue() = default;
TimerQueue::~TimerQueue() = default;

void TimerQueue::Open(boost::asio::io_context& context) {
  const int fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  TALON_CHECK(fd >= 0);
  descriptor_ = std::make_unique<Descriptor>(context, fd);
  closed_ = false;
  Wait();
}

void TimerQueue::Close() {
  closed_ = true;
  descriptor_.reset();
  // Work that dies here may call Cancel for other entries: it must find an intact map.
  auto doomed = std::exchange(entries_, {});
}

TimerId TimerQueue::Add(SteadyTime at, absl::AnyInvocable<void()> work) {
  const TimerId id{at, next_number_++};
  if (closed_) return id;
  entries_.emplace(id, std::move(work));
  if (!firing_ && at < armed_) Arm();
  return id;
}

void TimerQueue::Cancel(TimerId id) {
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return;
  const auto doomed = std::move(entry->second);
  entries_.erase(entry);
  if (firing_) return;
  // An alarm for nobody would wake the process long after its work was done. One that is due soon
  // may: that is a system call fewer for times that are set and cancelled all along.
  const bool stale = id.at == armed_ && id.at - std::chrono::steady_clock::now() > kSoon;
  if (stale || entries_.empty()) Arm();
}

void TimerQueue::FireNow(TimerId id) {
  auto entry = entries_.extract(id);
  if (entry) entry.mapped()();
}

void TimerQueue::Wait() {
  descriptor_->stream.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                 [this](const boost::system::error_code& error) {
                                   if (!error && !closed_) Expired();
                                 });
}

void TimerQueue::Expired() {
  std::uint64_t expirations = 0;
  const bool fired = ::read(descriptor_->stream.native_handle(), &expirations,
                            sizeof(expirations)) == sizeof(expirations);
  if (fired) armed_ = SteadyTime::max();
  const auto now = std::chrono::steady_clock::now();
  firing_ = true;
  // Entries added meanwhile wait for the next round, or one that re-arms itself would starve I/O.
  const std::uint64_t first_new = next_number_;
  for (auto budget = entries_.size(); budget > 0 && !entries_.empty(); --budget) {
    const auto first = entries_.begin();
    if (first->first.at > now || first->first.number >= first_new) break;
    auto entry = entries_.extract(first);
    entry.mapped()();
  }
  firing_ = false;
  Arm();
  Wait();
}

void TimerQueue::Arm() {
  if (closed_) return;
  const SteadyTime earliest = entries_.empty() ? SteadyTime::max() : entries_.begin()->first.at;
  if (earliest == armed_) return;
  itimerspec spec{};
  if (earliest != SteadyTime::max()) {
    const auto since_boot = std::max<std::chrono::nanoseconds>(earliest.time_since_epoch(),
                                                               std::chrono::nanoseconds(1));
    spec.it_value.tv_sec = since_boot.count() / 1'000'000'000;
    spec.it_value.tv_nsec = since_boot.count() % 1'000'000'000;
  }
  TALON_CHECK(::timerfd_settime(descriptor_->stream.native_handle(), TFD_TIMER_ABSTIME, &spec,
                                nullptr) == 0);
  armed_ = earliest;
}

}  // namespace talon::io
