// SPDX-License-Identifier: Apache-2.0
// Cancellation: a source cancels, tokens observe. Confined to the event loop's thread: callbacks
// run inside Cancel(), in order of registration. A default token is never cancelled.
#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"

namespace talon {

namespace internal {
struct CancelState;
}

// Keeps one callback registered while it lives.
class CancelRegistration {
 public:
  CancelRegistration() = default;
  CancelRegistration(CancelRegistration&& other) noexcept;
  CancelRegistration& operator=(CancelRegistration&& other) noexcept;
  ~CancelRegistration();

 private:
  friend class CancelToken;
  std::shared_ptr<internal::CancelState> state_;
  long id_ = 0;
};

class CancelToken {
 public:
  CancelToken() = default;
  bool cancelled() const;
  // OK while not cancelled; else why, always an error status.
  absl::Status status() const;
  // Runs `callback` once on cancellation; at once, inside this call, when already cancelled.
  [[nodiscard]] CancelRegistration OnCancel(absl::AnyInvocable<void()> callback) const;

 private:
  friend class CancelSource;
  std::shared_ptr<internal::CancelState> state_;
};

// Copies share one state. Destruction does not cancel.
class CancelSource {
 public:
  CancelSource();
  // A source that is cancelled as well when `parent` is.
  explicit CancelSource(const CancelToken& parent);
  CancelToken token() const;
  // `reason` must be an error; later calls do nothing.
  void Cancel(absl::Status reason);

 private:
  std::shared_ptr<internal::CancelState> state_;
};

}  // namespace talon
