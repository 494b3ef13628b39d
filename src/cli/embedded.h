// SPDX-License-Identifier: Apache-2.0
// A daemon inside this process, on a thread and a loop of its own, listening on a free port. Made
// and destroyed by any one thread; both block, destruction until the turns under way have ended.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "base/secret.h"

namespace talon::config {
struct Loaded;
}
namespace talon::daemon {
struct Paths;
}

namespace talon::cli {

class Embedded {
 public:
  // Ends when the daemon serves, or cannot.
  Embedded(config::Loaded loaded, daemon::Paths paths);
  ~Embedded();
  Embedded(const Embedded&) = delete;
  Embedded& operator=(const Embedded&) = delete;

  const absl::Status& status() const;
  std::uint16_t port() const;
  const Secret& token() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace talon::cli
