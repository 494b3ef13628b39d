// SPDX-License-Identifier: Apache-2.0
// Sessions in memory, loaded from the journal on demand; the least recently used idle ones go.
// Loop's thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/options.h"
#include "agent/session.h"
#include "base/clock.h"
#include "base/ids.h"
#include "io/one_shot.h"
#include "journal/journal.h"

namespace talon::agent {

class SessionCache {
 public:
  // All must outlive the cache.
  SessionCache(journal::Journal& journal, const Clock& clock, IdSource& ids,
               const OrchestratorOptions& options)
      : journal_(journal), clock_(clock), ids_(ids), options_(options) {}

  // The session of that key or id, from memory, the journal, or new (not yet persisted). An empty
  // key makes a new session. The pointer stays valid while the session is not idle: pin it before
  // the next suspension.
  io::Task<absl::StatusOr<Session*>> Open(Principal principal, std::string key);
  Session* Find(const SessionId& id);
  // Loads a session in use anew, where it stands: its record and messages, with all of `turn`'s.
  // Nobody else may touch its history meanwhile. NotFound when it was deleted.
  io::Task<absl::Status> Refresh(Session& session, TurnId turn);
  // The journal has changed behind the session: forgets it when it is idle, else it is refreshed
  // before its next turn.
  void Evict(const SessionId& id);

 private:
  io::Task<absl::StatusOr<std::string>> KeyOf(Principal principal, std::string key);
  io::Task<absl::StatusOr<std::unique_ptr<Session>>> Load(Principal principal, std::string key);
  io::Task<absl::Status> LoadHistory(Session& session, TurnId turn);
  void Forget(const SessionId& id);
  // Makes room for one more.
  void Trim();

  journal::Journal& journal_;
  const Clock& clock_;
  IdSource& ids_;
  const OrchestratorOptions& options_;
  std::unordered_map<SessionId, std::unique_ptr<Session>> sessions_;
  std::unordered_map<std::string, SessionId> by_key_;
  // Keys being loaded, with those who wait for that.
  std::map<std::string, std::vector<std::shared_ptr<io::OneShot<bool>>>> loading_;
  std::uint64_t uses_ = 0;
  std::uint64_t evictions_ = 0;  // a load that overlaps with one may have read what was before it
};

}  // namespace talon::agent
