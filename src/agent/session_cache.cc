// SPDX-License-Identifier: Apache-2.0
#include "agent/session_cache.h"

#include "base/status.h"
#include "model/codec.h"

namespace talon::agent {
namespace {

std::string FullKey(const Principal& principal, const std::string& key) {
  // '\x1f' cannot be part of a principal's names or of a session key that came over HTTP.
  return principal.tenant + '\x1f' + principal.user + '\x1f' + principal.agent + '\x1f' + key;
}

}  // namespace

Session* SessionCache::Find(const SessionId& id) {
  auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void SessionCache::Evict(const SessionId& id) {
  Session* session = Find(id);
  if (session == nullptr) return;
  session->discard = true;
  if (!session->idle()) return;
  by_key_.erase(FullKey(session->record.principal, session->record.key));
  sessions_.erase(id);
}

void SessionCache::Trim() {
  if (sessions_.size() <= options_.cached_sessions) return;
  SessionId oldest;
  std::uint64_t oldest_use = UINT64_MAX;
  for (const auto& [id, session] : sessions_) {
    if (session->idle() && session->last_used < oldest_use) {
      oldest = id;
      oldest_use = session->last_used;
    }
  }
  if (!oldest.empty()) Evict(oldest);
}

io::Task<absl::StatusOr<Session*>> SessionCache::Open(Principal principal, std::string key) {
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
      if (!session->discard || !session->idle()) {
        session->last_used = ++uses_;
        co_return session;
      }
      Evict(known->second);
    }
    loading_[full];
  }
  auto session = co_await Load(principal, key);
  if (!key.empty()) {
    for (auto& waiter : loading_.extract(full).mapped()) waiter->Set(true);
  }
  TALON_CO_RETURN_IF_ERROR(session.status());
  Trim();
  Session* opened = session->get();
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
      session->record = **record;
      session->persisted = true;
      auto messages = co_await journal_.LoadMessages(
          session->record.id, static_cast<std::int64_t>(options_.context_messages));
      TALON_CO_RETURN_IF_ERROR(messages.status());
      for (const journal::MessageRecord& message : *messages) {
        TALON_CO_ASSIGN_OR_RETURN(model::Message decoded, model::DecodeMessage(message.content));
        decoded.label = message.label;
        session->history.push_back({message.turn, std::move(decoded)});
        session->last_seq = message.seq;
      }
      co_return session;
    }
  }
  session->record.id = NewSessionId(ids_);
  session->record.key = key.empty() ? session->record.id.str() : key;
  session->record.principal = principal;
  session->record.created_at = session->record.updated_at = clock_.Now();
  co_return session;
}

}  // namespace talon::agent
