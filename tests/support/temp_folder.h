// SPDX-License-Identifier: Apache-2.0
// A folder of its own for one test, removed with everything in it when this dies.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace talon::test {

// kMemory: where a sync costs nothing, for tests that do not depend on the disk.
enum class Where { kDisk, kMemory };

class TempFolder {
 public:
  explicit TempFolder(Where where = Where::kDisk) : path_(Base(where) + "/talon-test-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  static std::string Base(Where where) {
    std::error_code ignored;
    const bool memory =
        where == Where::kMemory && std::filesystem::is_directory("/dev/shm", ignored);
    return memory ? "/dev/shm" : std::filesystem::temp_directory_path().string();
  }

  std::string path_;
};

}  // namespace talon::test
