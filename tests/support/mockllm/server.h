// SPDX-License-Identifier: Apache-2.0
// The provider behind its HTTP endpoints: the three wires, GET …/models, and the control endpoints
// /__requests and /__script. Owned by main. Loop's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "bench.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "script.h"

namespace talon::mockllm {

struct MockOptions {
  std::uint16_t port = 0;
  std::size_t keep_requests = 1000;  // the latest that /__requests shows
  std::string folder = ".";          // for relative file names in scripts
  std::optional<BenchOptions> bench;
};

class MockServer {
 public:
  virtual ~MockServer() = default;
  static absl::StatusOr<std::unique_ptr<MockServer>> Start(io::Loop& loop, MockOptions options,
                                                           Script script);
  virtual std::uint16_t port() const = 0;
};

}  // namespace talon::mockllm
