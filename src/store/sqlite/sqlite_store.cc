// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "io/loop.h"
#include "io/one_shot.h"
#include "store/folder_lock.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/migrate.h"
#include "store/sqlite/reader.h"
#include "store/sqlite/sql_files.h"
#include "store/sqlite/writer.h"
#include "store/store.h"

namespace talon::store {
namespace {

class SqliteStore : public Store {
 public:
  SqliteStore(io::Loop& loop, std::unique_ptr<FolderLock> lock,
              std::unique_ptr<const StatementMap> statements)
      : loop_(loop), lock_(std::move(lock)), statements_(std::move(statements)) {}
  ~SqliteStore() override { Close(); }

  absl::Status Start(const std::string& path, const StoreOptions& options);
  io::Task<absl::Status> Commit(Batch batch) override;
  void CommitLater(Batch batch) override;
  io::Task<absl::StatusOr<Rows>> Read(std::string_view statement,
                                      std::vector<Value> params) override;
  StoreStats stats() const override { return writer_->stats(); }
  void Close() override;

 private:
  io::Loop& loop_;
  std::unique_ptr<FolderLock> lock_;
  const std::unique_ptr<const StatementMap> statements_;
  std::shared_ptr<Writer> writer_;
  std::shared_ptr<Reader> reader_;
};

absl::Status SqliteStore::Start(const std::string& path, const StoreOptions& options) {
  TALON_ASSIGN_OR_RETURN(auto write,
                         Connection::Open(path, Connection::Access::kWrite, options, *statements_));
  TALON_ASSIGN_OR_RETURN(const auto migrations, LoadMigrations());
  TALON_RETURN_IF_ERROR(Migrate(*write, migrations));
  TALON_ASSIGN_OR_RETURN(auto read,
                         Connection::Open(path, Connection::Access::kRead, options, *statements_));
  reader_ = std::make_shared<Reader>(loop_, std::move(read));
  writer_ = std::make_shared<Writer>(loop_, std::move(write), options);
  return writer_->Start();
}

io::Task<absl::Status> SqliteStore::Commit(Batch batch) {
  auto done = std::make_shared<Writer::Done>();
  TALON_CO_RETURN_IF_ERROR(writer_->Add(std::move(batch), done));
  co_return co_await done->Wait();
}

void SqliteStore::CommitLater(Batch batch) {
  const absl::Status queued = writer_->Add(std::move(batch), nullptr);
  if (!queued.ok()) {
    log::Error("a batch nobody waits for was not queued", {{"error", Message(queued)}});
  }
}

io::Task<absl::StatusOr<Rows>> SqliteStore::Read(std::string_view statement,
                                                 std::vector<Value> params) {
  return reader_->Read(statement, std::move(params));
}

void SqliteStore::Close() {
  // The writer closes last: only a connection that may write can checkpoint.
  if (reader_ != nullptr) reader_->Close();
  if (writer_ != nullptr) writer_->Stop();
  lock_.reset();
}

// SQLite gives its side files the mode of the database, so that is made first.
absl::Status CreatePrivately(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoToStatus(errno, fmt::format("store: open '{}'", path));
  close(fd);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenSqlite(io::Loop& loop, const std::string& folder,
                                                  const StoreOptions& options) {
  TALON_ASSIGN_OR_RETURN(auto lock, FolderLock::Acquire(folder));
  const std::string path = folder + "/talon.db";
  TALON_RETURN_IF_ERROR(CreatePrivately(path));
  TALON_ASSIGN_OR_RETURN(auto statements, LoadStatements());
  auto store = std::make_unique<SqliteStore>(
      loop, std::move(lock), std::make_unique<const StatementMap>(std::move(statements)));
  TALON_RETURN_IF_ERROR(store->Start(path, options));
  return store;
}

}  // namespace talon::store
