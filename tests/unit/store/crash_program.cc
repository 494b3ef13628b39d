// SPDX-License-Identifier: Apache-2.0
// crash_program FOLDER BATCHES power|process: commits so many probe batches, one alone and then
// four at a time, prints the number of each as soon as it is durable, and closes the store.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "store/store.h"
#include "tests/unit/store/probe_batches.h"

namespace talon::store {
namespace {

io::Task<void> CommitOne(Store* store, int number) {
  const absl::Status status = co_await store->Commit(ProbeBatch(number));
  const std::string line = status.ok() ? std::to_string(number) + "\n" : StatusText(status) + "\n";
  if (write(STDOUT_FILENO, line.data(), line.size()) < 0) std::abort();
}

io::Task<int> CommitAll(io::Loop* loop, Store* store, int batches, int at_once) {
  for (int first = 0; first < batches; first += at_once) {
    io::Nursery nursery(*loop);
    for (int i = first; i < std::min(first + at_once, batches); ++i) {
      nursery.Spawn(CommitOne(store, i));
    }
    co_await nursery.Join();
  }
  co_return 0;
}

int Run(const std::string& folder, int batches, int at_once, Durability durability) {
  io::Loop loop;
  // Small, so that checkpoints happen among the commits too; equal, so that their moment does not
  // depend on whether the next batch waits already.
  constexpr Bytes kLog{64 << 10};
  auto store =
      OpenSqlite(loop, folder, {.durability = durability, .checkpoint_at = kLog, .max_log = kLog});
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", StatusText(store.status()).c_str());
    return 1;
  }
  loop.RunUntilDone(CommitAll(&loop, store->get(), batches, at_once));
  (*store)->Close();
  return 0;
}

}  // namespace
}  // namespace talon::store

int main(int argc, char** argv) {
  using talon::store::Durability;
  if (argc != 5) return 2;
  const bool power = std::string_view(argv[4]) == "power";
  return talon::store::Run(argv[1], std::atoi(argv[2]), std::atoi(argv[3]),
                           power ? Durability::kPower : Durability::kProcess);
}
