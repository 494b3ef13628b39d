// SPDX-License-Identifier: Apache-2.0
#include "base/cancel.h"

#include <map>
#include <utility>

#include "base/check.h"

namespace talon {
namespace internal {

struct CancelState {
  absl::Status status;
  long next_id = 1;
  std::map<long, absl::AnyInvocable<void()>> callbacks;
  CancelRegistration parent;
};

}  // namespace internal

CancelRegistration::CancelRegistration(CancelRegistration&& other) noexcept
    : state_(std::move(other.state_)), id_(std::exchange(other.id_, 0)) {}

CancelRegistration& CancelRegistration::operator=(CancelRegistration&& other) noexcept {
  CancelRegistration taken(std::move(other));
  std::swap(state_, taken.state_);
  std::swap(id_, taken.id_);
  return *this;
}

CancelRegistration::~CancelRegistration() {
  if (!state_) return;
  // Out of the table first: destroying the callback may end other registrations in it.
  const auto ended = state_->callbacks.extract(id_);
}

bool CancelToken::cancelled() const {
  return state_ && !state_->status.ok();
}

absl::Status CancelToken::status() const {
  return state_ ? state_->status : absl::OkStatus();
}

CancelRegistration CancelToken::OnCancel(absl::AnyInvocable<void()> callback) const {
  CancelRegistration registration;
  if (!state_) return registration;
  if (cancelled()) {
    callback();
    return registration;
  }
  registration.state_ = state_;
  registration.id_ = state_->next_id++;
  state_->callbacks.emplace(registration.id_, std::move(callback));
  return registration;
}

CancelSource::CancelSource() : state_(std::make_shared<internal::CancelState>()) {}

CancelSource::CancelSource(const CancelToken& parent) : CancelSource() {
  std::weak_ptr<internal::CancelState> weak = state_;
  state_->parent = parent.OnCancel([weak, source = parent] {
    if (auto state = weak.lock()) {
      CancelSource self;
      self.state_ = state;
      self.Cancel(source.status());
    }
  });
  if (parent.cancelled()) Cancel(parent.status());
}

CancelToken CancelSource::token() const {
  CancelToken token;
  token.state_ = state_;
  return token;
}

void CancelSource::Cancel(absl::Status reason) {
  TALON_CHECK(!reason.ok());
  if (!state_->status.ok()) return;
  state_->status = std::move(reason);
  auto state = state_;  // callbacks may destroy this source
  while (!state->callbacks.empty()) {
    auto first = state->callbacks.extract(state->callbacks.begin());
    first.mapped()();
  }
}

}  // namespace talon
