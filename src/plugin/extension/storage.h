// SPDX-License-Identifier: Apache-2.0
// Values by key, kept by a plugin (proto/talon/v1/storage.proto). The namespace is made here from
// who acts, so nobody reaches another's values. Loop's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "base/clock.h"
#include "io/task.h"

namespace talon::tool {
class Catalogue;
}

namespace talon::plugin {

class Host;

struct KeptValue {
  std::string value;  // any bytes
  std::string version;
  WallTime updated_at;
};

struct PutTerms {
  std::string if_version;            // empty = always, "none" = only when there is no such key
  std::chrono::milliseconds ttl{0};  // 0 = for ever
};

struct KeyPage {
  std::vector<std::string> keys;
  bool more = false;
};

// Errors: Unimplemented when no storage is configured or it cannot do what is asked,
// InvalidArgument (a key, a value too large), NotFound, Aborted (if_version), and those of a plugin
// call. The principal of `context` decides whose values they are.
class KeyValues {
 public:
  // `host` must outlive this. `plugin`: storage.plugin.
  KeyValues(Host& host, const Clock& clock, std::string plugin)
      : host_(host), clock_(clock), plugin_(std::move(plugin)) {}

  bool configured() const { return !plugin_.empty(); }
  io::Task<absl::StatusOr<KeptValue>> Get(std::string key, CallContext context);
  // Answers the new version.
  io::Task<absl::StatusOr<std::string>> Put(std::string key, std::string value, PutTerms terms,
                                            CallContext context);
  // Whether there was such a key.
  io::Task<absl::StatusOr<bool>> Delete(std::string key, CallContext context);
  io::Task<absl::StatusOr<KeyPage>> List(std::string prefix, std::string after, std::size_t limit,
                                         CallContext context);

 private:
  absl::Status Check(std::string_view key) const;
  io::Task<absl::StatusOr<std::string>> Ask(std::string_view method, std::string request,
                                            CallContext context, bool repeat);

  Host& host_;
  const Clock& clock_;
  const std::string plugin_;
};

// talon__kv_get, talon__kv_put, talon__kv_list, talon__kv_delete. `values` must outlive the tools.
absl::Status AddStorageTools(tool::Catalogue& catalogue, KeyValues& values);

}  // namespace talon::plugin
