// SPDX-License-Identifier: Apache-2.0
// crash_program FOLDER BATCHES power|process: commits so many probe batches, one alone and then
// four at a time, prints the number of each as soon as it is durable, and closes the store.
#include <unistd.h>

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

constexpr int kAtOnce = 4;

io::Task<void> CommitOne(Store* store, int number) {
  const absl::Status status = co_await store->Commit(ProbeBatch(number));
  const std::string line = status.ok() ? std::to_string(number) + "\n" : StatusText(status) + "\n";
  if (write(STDOUT_FILENO, line.data(), line.size()) < 0) std::abort();
}

io::Task<int> CommitAll(io::Loop* loop, Store* store, int batches) {
  co_await CommitOne(store, 0);
  for (int first = 1; first < batches; first += kAtOnce) {
    io::Nursery nursery(*loop);
    for (int i = first; i < std::min(first + kAtOnce, batches); ++i) {
      nursery.Spawn(CommitOne(store, i));
    }
    co_await nursery.Join();
  }
  co_return 0;
}

int Run(const std::string& folder, int batches, Durability durability) {
  io::Loop loop;
  // Small, so that checkpoints happen among the commits too.
  auto store =
      OpenSqlite(loop, folder, {.durability = durability, .checkpoint_at = Bytes{64 << 10}});
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", StatusText(store.status()).c_str());
    return 1;
  }
  loop.RunUntilDone(CommitAll(&loop, store->get(), batches));
  (*store)->Close();
  return 0;
}

}  // namespace
}  // namespace talon::store

int main(int argc, char** argv) {
  using talon::store::Durability;
  if (argc != 4) return 2;
  const bool power = std::string_view(argv[3]) == "power";
  return talon::store::Run(argv[1], std::atoi(argv[2]),
                           power ? Durability::kPower : Durability::kProcess);
}
