// SPDX-License-Identifier: Apache-2.0
// An effect that can be counted: lines in a file. `<file>.keys` notes, before a line is appended,
// its key and where it will stand; who finds a note looks there whether the line made it.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "tools.h"

namespace talon::test_plugin {
namespace {

class LockedFile {
 public:
  explicit LockedFile(const std::string& path)
      : fd_(open(path.c_str(), O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600)) {
    if (fd_ < 0 || flock(fd_, LOCK_EX) != 0) throw std::runtime_error("cannot open " + path);
  }
  ~LockedFile() { close(fd_); }
  LockedFile(const LockedFile&) = delete;
  LockedFile& operator=(const LockedFile&) = delete;

  void Append(const std::string& text) {
    if (write(fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      throw std::runtime_error("cannot append");
    }
  }

 private:
  int fd_;
};

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Whether a note for `key` is followed by its line.
bool Done(const std::string& ledger, const std::string& notes, const std::string& line,
          const std::string& key) {
  std::istringstream stream(notes);
  std::string noted;
  std::size_t offset = 0;
  while (stream >> noted >> offset) {
    if (noted == key && ledger.compare(std::min(offset, ledger.size()), line.size(), line) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool LedgerAppend(const std::string& file, const std::string& line, const std::string& key) {
  LockedFile ledger(file);
  const std::string text = line + "\n";
  if (!key.empty()) {
    const std::string content = ReadAll(file);
    const std::string notes_path = file + ".keys";
    if (Done(content, ReadAll(notes_path), text, key)) return false;
    LockedFile(notes_path).Append(key + " " + std::to_string(content.size()) + "\n");
  }
  ledger.Append(text);
  return true;
}

}  // namespace talon::test_plugin
