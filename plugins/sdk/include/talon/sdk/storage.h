// SPDX-License-Identifier: Apache-2.0
// Extension point: a key-value store. A plugin that also derives from Storage keeps the values of
// talon__kv_* and /v1/kv once `storage.plugin` names it. The daemon sets the namespace from who
// acts; values of different namespaces must never meet.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "talon/sdk/call.h"

namespace talon::sdk {

struct StorageSpec {
  std::uint64_t max_value_bytes = 0;  // 0 = 1 MiB
  bool compare_and_set = false;       // honours PutOptions::if_version
  bool ttl = false;                   // honours PutOptions::ttl
};

struct StoredValue {
  std::string value;
  std::string version;  // changes with every Put
  std::chrono::system_clock::time_point updated_at;
};

struct PutOptions {
  // Only when the stored version is this; "none" = only when there is no such key; empty = always.
  std::string if_version;
  std::chrono::milliseconds ttl{0};  // 0 = for ever
};

struct KeyList {
  std::vector<std::string> keys;
  bool more = false;
};

// Several calls run at once; a Put has ended when the value is durable.
class Storage {
 public:
  explicit Storage(StorageSpec spec = {}) : storage_spec_(spec) {}
  virtual ~Storage() = default;

  // NOT_FOUND when there is no such key.
  virtual absl::StatusOr<StoredValue> Get(const std::string& space, const std::string& key,
                                          const CallInfo& call) = 0;
  // Answers the new version; ABORTED when `if_version` does not match.
  virtual absl::StatusOr<std::string> Put(const std::string& space, const std::string& key,
                                          const std::string& value, const PutOptions& options,
                                          const CallInfo& call) = 0;
  // Whether there was such a key.
  virtual absl::StatusOr<bool> Delete(const std::string& space, const std::string& key,
                                      const CallInfo& call) = 0;
  // At most `limit` keys that begin with `prefix` and come behind `after`, in byte order.
  virtual absl::StatusOr<KeyList> List(const std::string& space, const std::string& prefix,
                                       const std::string& after, std::size_t limit,
                                       const CallInfo& call) = 0;

  const StorageSpec& storage_spec() const { return storage_spec_; }

 private:
  const StorageSpec storage_spec_;
};

}  // namespace talon::sdk
