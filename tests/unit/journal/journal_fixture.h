// SPDX-License-Identifier: Apache-2.0
// A journal on a store of its own, and records to put into it.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "io/loop.h"
#include "journal/journal.h"
#include "store/store.h"
#include "tests/support/temp_folder.h"

namespace talon::journal {

class FixedClock : public Clock {
 public:
  WallTime Now() const override { return now; }
  SteadyTime SteadyNow() const override { return SteadyTime(now.time_since_epoch()); }
  WallTime now{std::chrono::seconds(1'800'000'000)};
};

class JournalTest : public testing::Test {
 protected:
  JournalTest() { Reopen(); }

  // As after a restart of the process.
  void Reopen() {
    journal_.reset();
    store_.reset();
    store_ = *store::OpenSqlite(loop_, folder_.path(), {.durability = store::Durability::kProcess});
    journal_ = std::make_unique<Journal>(*store_, clock_);
  }

  template <class T>
  T Run(io::Task<T> task) {
    return loop_.RunUntilDone(std::move(task));
  }

  static SessionRecord Session(const std::string& name) {
    SessionRecord session;
    session.id = SessionId("ses_" + name);
    session.key = name;
    session.title = "about " + name;
    session.principal.origin = "cli";
    return session;
  }

  static EventEnvelope Event(const std::string& name) {
    EventEnvelope event;
    event.id = EventId("evt_" + name);
    event.source = "http";
    event.payload = R"({"text":")" + name + "\"}";
    event.principal.origin = "http";
    event.label.integrity = Integrity::kUser;
    return event;
  }

  static TurnRecord Turn(const std::string& name, const std::string& session) {
    TurnRecord turn;
    turn.id = TurnId("turn_" + name);
    turn.session = SessionId("ses_" + session);
    turn.principal.origin = "http";
    return turn;
  }

  static MessageRecord Message(const std::string& session, std::int64_t seq,
                               const std::string& turn, const std::string& content) {
    MessageRecord message;
    message.session = SessionId("ses_" + session);
    message.seq = seq;
    if (!turn.empty()) message.turn = TurnId("turn_" + turn);
    message.role = "user";
    message.content = content;
    message.label = MakeLabel(Integrity::kUser, "");
    return message;
  }

  static StepRecord Step(const std::string& turn, std::int64_t seq, StepKind kind) {
    StepRecord step;
    step.turn = TurnId("turn_" + turn);
    step.seq = seq;
    step.kind = kind;
    step.data = "{\"n\":" + std::to_string(seq) + "}";
    step.label = MakeLabel(Integrity::kTrusted, "");
    return step;
  }

  static EffectRecord Effect(const std::string& turn, const std::string& key) {
    EffectRecord effect;
    effect.key = key;
    effect.turn = TurnId("turn_" + turn);
    effect.call_id = "call_1";
    effect.tool = "files__write";
    effect.effect_class = "write";
    effect.principal.origin = "http";
    return effect;
  }

  static OutboxRecord Outbox(const std::string& turn, const std::string& target) {
    OutboxRecord outbox;
    outbox.id = OutboxId("out_" + turn + target);
    outbox.turn = TurnId("turn_" + turn);
    outbox.target = target;
    outbox.dedupe_key = turn + "/1";
    outbox.payload = R"({"text":"done"})";
    outbox.label = MakeLabel(Integrity::kUntrusted, "owner,guest");
    return outbox;
  }

  // Rows of a table, counted by a connection of the test's own.
  int CountRows(const std::string& table) {
    sqlite3* db = nullptr;
    sqlite3_stmt* statement = nullptr;
    int count = -1;
    const std::string sql = "SELECT count(*) FROM " + table;
    if (sqlite3_open_v2((folder_ / "talon.db").c_str(), &db, SQLITE_OPEN_READONLY, nullptr) ==
            SQLITE_OK &&
        sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
      count = sqlite3_column_int(statement, 0);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return count;
  }

  // A new session `name` with a running turn `name` and its first message.
  absl::StatusOr<Accepted> Arrive(const std::string& name) {
    Entry entry;
    entry.new_sessions = {Session(name)};
    entry.messages = {Message(name, 1, name, "hello")};
    entry.steps = {Step(name, 1, StepKind::kAccepted)};
    return Run(journal_->Accept(Event(name), Turn(name, name), std::move(entry)));
  }

  test::TempFolder folder_{test::Where::kMemory};
  FixedClock clock_;
  io::Loop loop_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Journal> journal_;
};

#define ASSERT_OK(expression)                                     \
  do {                                                            \
    const auto outcome_ = (expression);                           \
    ASSERT_TRUE(outcome_.ok()) << StatusText(ToStatus(outcome_)); \
  } while (false)

inline absl::Status ToStatus(const absl::Status& status) {
  return status;
}
template <class T>
absl::Status ToStatus(const absl::StatusOr<T>& value) {
  return value.status();
}

}  // namespace talon::journal
