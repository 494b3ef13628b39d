// SPDX-License-Identifier: Apache-2.0
// One file a value: <folder>/<namespace>/<key>, both percent-encoded. A value is written to a file
// beside, synced and renamed over, so a reader never sees half of one. The version is a digest of
// the content and the time it was written.
#pragma once

#include <mutex>
#include <string>

#include "talon/sdk/plugin.h"
#include "talon/sdk/storage.h"

namespace talon::examples {

class StorageFiles : public sdk::Plugin, public sdk::Storage {
 public:
  StorageFiles();
  absl::Status Configure(const sdk::Args& config, const sdk::Folders& folders) override;
  absl::StatusOr<sdk::StoredValue> Get(const std::string& space, const std::string& key,
                                       const sdk::CallInfo& call) override;
  absl::StatusOr<std::string> Put(const std::string& space, const std::string& key,
                                  const std::string& value, const sdk::PutOptions& options,
                                  const sdk::CallInfo& call) override;
  absl::StatusOr<bool> Delete(const std::string& space, const std::string& key,
                              const sdk::CallInfo& call) override;
  absl::StatusOr<sdk::KeyList> List(const std::string& space, const std::string& prefix,
                                    const std::string& after, std::size_t limit,
                                    const sdk::CallInfo& call) override;

 private:
  absl::StatusOr<std::string> PathOf(const std::string& space, const std::string& key) const;

  std::string folder_;
  std::mutex writing_;  // one Put or Delete at a time: if_version compares and sets
};

}  // namespace talon::examples
