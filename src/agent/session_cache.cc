// SPDX-License-Identifier: Apache-2.0
#include "agent/session_cache.h"

#include <algorithm>

#include "base/status.h"
#include "model/codec.h"

namespace talon::agent {
namespace {

// The key stands last and the edge sets the names before it, so no two can be mistaken.
std::string FullKey(const Principal& principal, const std::string& key) {
  return principal.tenant + '\x1f' + principal.user + '\x1f' + principal.agent + '\x1f' + key;
}

}  // namespace

Session* SessionCache::Find(const SessionId& id) {
  auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void SessionCache::Forget(const SessionId& id) {
  const journal::SessionRecord& record = sessions_.at(id)->record;
  by_key_.erase(FullKey(record.principal, record.key));
  sessions_.erase(SessionId(id));  // a copy: `id` may be the session's own
}

void SessionCache::Evict(const SessionId& id) {
  ++evictions_;
  Session* session = Find(id);
  if (session == nullptr) return;
  session->stale = true;
  if (session->idle()) Forget(id);
}

void SessionCache::Trim() {
  if (sessions_.size() < options_.cached_sessions) return;
  std::vector<const Session*> idle;
  for (const auto& [id, session] : sessions_) {
    if (session->idle()) idle.push_back(session.get());
  }
  const std::size_t too_many = sessions_.size() + 1 - std::max(options_.cached_sessions, 1u);
  const auto count = static_cast<std::ptrdiff_t>(std::min(too_many, idle.size()));
  std::ranges::partial_sort(idle, idle.begin() + count, {}, &Session::last_used);
  for (auto session = idle.begin(); session != idle.begin() + count; ++session) {
    Forget((*session)->record.id);
  }
}

// Who was told a session's id may use it for its key.
io::Task<absl::StatusOr<std::string>> SessionCache::KeyOf(Principal principal, std::string key) {
  if (!key.starts_with("ses_")) co_return key;
  const SessionId id(key);
  journal::SessionRecord record;
  if (const Session* session = Find(id); session != nullptr) {
    record = session->record;
  } else {
    auto loaded = co_await journal_.LoadSession(id);
    if (absl::IsNotFound(loaded.status())) co_return key;
    TALON_CO_RETURN_IF_ERROR(loaded.status());
    record = *std::move(loaded);
  }
  const bool own = FullKey(principal, record.key) == FullKey(record.principal, record.key);
  co_return own ? record.key : key;
}

io::Task<absl::StatusOr<Session*>> SessionCache::Open(Principal principal, std::string key) {
  TALON_CO_ASSIGN_OR_RETURN(key, co_await KeyOf(principal, std::move(key)));
  std::string full;
  if (!key.empty()) {
    full = FullKey(principal, key);
    while (loading_.contains(full)) {
      auto loaded = std::make_shared<io::OneShot<bool>>();
      loading_[full].push_back(loaded);
      co_await loaded->Wait();
    }
    if (auto known = by_key_.find(full); known != by_key_.end()) {
      Session* session = Find(known->second);
      if (!session->stale || !session->idle()) {
        session->last_used = ++uses_;
        co_return session;
      }
      Forget(session->record.id);
    }
    loading_[full];
  }
  const std::uint64_t evictions = evictions_;
  auto session = co_await Load(principal, key);
  if (!key.empty()) {
    const auto waiters = loading_.extract(full);
    for (auto& waiter : waiters.mapped()) waiter->Set(true);
  }
  TALON_CO_RETURN_IF_ERROR(session.status());
  Trim();
  Session* opened = session->get();
  opened->stale = evictions != evictions_ && opened->persisted;
  opened->last_used = ++uses_;
  by_key_[FullKey(principal, opened->record.key)] = opened->record.id;
  sessions_[opened->record.id] = *std::move(session);
  co_return opened;
}

io::Task<absl::StatusOr<std::unique_ptr<Session>>> SessionCache::Load(Principal principal,
                                                                      std::string key) {
  auto session = std::make_unique<Session>();
  if (!key.empty()) {
    auto record = co_await journal_.FindSession(principal, key);
    TALON_CO_RETURN_IF_ERROR(record.status());
    if (record->has_value()) {
      session->record = **std::move(record);
      session->persisted = true;
      TALON_CO_RETURN_IF_ERROR(co_await LoadHistory(*session, {}));
      co_return session;
    }
  }
  session->record.id = NewSessionId(ids_);
  session->record.key = key.empty() ? session->record.id.str() : key;
  session->record.principal = principal;
  session->record.created_at = session->record.updated_at = clock_.Now();
  co_return session;
}

io::Task<absl::Status> SessionCache::Refresh(Session& session, TurnId turn) {
  session.stale = false;
  auto record = co_await journal_.LoadSession(session.record.id);
  if (record.ok()) {
    session.record = *std::move(record);
    absl::Status loaded = co_await LoadHistory(session, std::move(turn));
    if (loaded.ok()) co_return loaded;
    record = loaded;
  }
  session.stale = true;
  co_return record.status();
}

io::Task<absl::Status> SessionCache::LoadHistory(Session& session, TurnId turn) {
  absl::StatusOr<std::vector<journal::MessageRecord>> messages;
  auto limit = std::max<std::int64_t>(options_.context_messages, 1);
  while (true) {
    messages = co_await journal_.LoadMessages(session.record.id, limit);
    TALON_CO_RETURN_IF_ERROR(messages.status());
    const bool cut = !messages->empty() && messages->front().turn == turn &&
                     messages->size() == static_cast<std::size_t>(limit);
    if (!cut) break;
    limit *= 2;
  }
  std::deque<StoredMessage> history;
  session.label = {.integrity = Integrity::kSystem, .readers = {}};
  session.last_seq = session.record.message_count;
  for (journal::MessageRecord& message : *messages) {
    TALON_CO_ASSIGN_OR_RETURN(model::Message decoded, model::DecodeMessage(message.content));
    decoded.label = message.label;
    session.label = Join(session.label, message.label);
    session.last_seq = message.seq;
    history.push_back({std::move(message.turn), message.seq, std::move(decoded)});
  }
  session.history = std::move(history);
  session.origins = {};
  co_return absl::OkStatus();
}

}  // namespace talon::agent
