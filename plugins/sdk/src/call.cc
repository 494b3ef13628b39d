// SPDX-License-Identifier: Apache-2.0
#include "talon/sdk/call.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>

namespace talon::sdk {

struct CancelFlag::State {
  std::atomic<bool> set = false;
  std::mutex mutex;
  int fd = -1;  // made on demand: most handlers never wait for it
};

CancelFlag::CancelFlag() : state_(std::make_unique<State>()) {}

CancelFlag::~CancelFlag() {
  if (state_->fd >= 0) close(state_->fd);
}

void CancelFlag::Set() {
  const std::lock_guard lock(state_->mutex);
  state_->set = true;
  if (state_->fd >= 0) eventfd_write(state_->fd, 1);
}

bool CancelFlag::is_set() const {
  return state_->set;
}

int CancelFlag::fd() {
  const std::lock_guard lock(state_->mutex);
  if (state_->fd < 0) state_->fd = eventfd(state_->set ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
  return state_->fd;
}

bool CallInfo::cancelled() const {
  return cancel_->is_set() || Clock::now() >= deadline_;
}

std::chrono::milliseconds CallInfo::TimeLeft(std::chrono::milliseconds wish) const {
  if (deadline_ == Clock::time_point::max()) return wish;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
  return std::clamp(left, std::chrono::milliseconds(0), wish);
}

void CallInfo::Progress(std::string_view text, double done, double total) const {
  if (channel_ != nullptr) channel_->Progress(text, done, total);
}

Answer CallInfo::Ask(const Question& question) const {
  return channel_ != nullptr ? channel_->Ask(question, *this) : Answer();
}

int CallInfo::cancel_fd() const {
  return cancel_->fd();
}

}  // namespace talon::sdk
