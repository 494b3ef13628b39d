// SPDX-License-Identifier: Apache-2.0
// The way of every program that is not part of the installation to its start: examined, judged by
// the records, and recorded where the operator's word in the configuration is trust. Loop's thread.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "io/task.h"
#include "plugin/trust.h"

namespace talon::io {
class Loop;
}

namespace talon::plugin {

// What it works with; outlives the call.
struct Vetting {
  io::Loop& loop;
  const Clock& clock;
  TrustBook& trust;
  DigestCache& digests;
  std::size_t max_manifest;
};

struct Vetted {
  Evidence evidence;
  bool recorded = false;  // trusted just now, as it is at its first start
};

// `record`: its name in the book. kBundled: nothing is compared and nothing recorded.
io::Task<absl::StatusOr<Vetted>> Vet(Vetting with, std::string record, std::string path,
                                     Origin origin, Purpose purpose);

}  // namespace talon::plugin
