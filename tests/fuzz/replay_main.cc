// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over a corpus folder without libFuzzer: every file whole, and cut short at up
// to 64 places.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
    return 2;
  }
  int files = 0;
  for (const auto& item : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream file(item.path(), std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(file)), {});
    const auto* data = reinterpret_cast<const std::uint8_t*>(content.data());
    LLVMFuzzerTestOneInput(data, content.size());
    const std::size_t step = content.size() / 64 + 1;
    for (std::size_t size = 0; size < content.size(); size += step) {
      LLVMFuzzerTestOneInput(data, size);
    }
    ++files;
  }
  std::printf("%d files replayed\n", files);
  return files > 0 ? 0 : 1;
}
