// SPDX-License-Identifier: Apache-2.0
// The agent's inside: which turns run, wait, or are stranded. agent.cc, submit.cc,
// watch.cc and forget.cc implement it. Loop's thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/agent.h"
#include "agent/core.h"
#include "agent/session.h"
#include "agent/session_cache.h"
#include "agent/turn_loop.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "io/one_shot.h"

namespace talon::agent {

class AgentImpl : public Agent {
 public:
  explicit AgentImpl(Core core);
  ~AgentImpl() override;

  io::Task<absl::StatusOr<journal::Accepted>> Submit(journal::EventEnvelope event, TurnInput input,
                                                     TurnObserver* observer) override;
  io::Task<void> Watch(TurnId turn, TurnObserver& observer) override;
  void Forget(const TurnId& turn, TurnObserver* observer) override;
  io::Task<absl::StatusOr<TurnOutcome>> Await(TurnId turn, CallContext context) override;
  io::Task<absl::StatusOr<Principal>> OwnerOf(TurnId turn) override;
  io::Task<absl::Status> Answer(Principal principal, TurnId turn, QuestionId question,
                                tool::AnswerAction action, std::string content) override;
  io::Task<absl::StatusOr<journal::ApprovalRecord>> AnswerApproval(ApprovalAnswer answer,
                                                                   const Principal* owner) override;
  io::Task<absl::StatusOr<guard::CheckedCall>> JudgeCall(Principal principal,
                                                         std::string session_key,
                                                         std::string message,
                                                         model::ToolCall call) override;
  bool Cancel(const TurnId& turn, absl::Status reason) override;
  io::Task<absl::StatusOr<std::vector<Undelivered>>> LoadUndelivered(std::string origin) override;
  io::Task<absl::StatusOr<bool>> CountDelivery(TurnId turn, std::int64_t most) override;
  void Delivered(const TurnId& turn) override;
  io::Task<absl::Status> Recover() override;
  io::Task<void> Stop(SteadyTime deadline) override;
  io::Task<absl::StatusOr<ContextReport>> Context(Principal principal, std::string session_key,
                                                  std::string model) override;
  std::size_t running_turns() const override;
  void Evict(const SessionId& session) override;
  io::Task<absl::Status> DeleteSession(SessionId session, OpenTurns turns) override;

 private:
  // A turn on its way into the journal.
  struct Arrival {
    journal::EventEnvelope event;
    std::shared_ptr<TurnRun> run;
    std::unique_ptr<TurnLoop> loop;  // when it starts at once
  };

  absl::Status CheckArrival(const journal::EventEnvelope& event, const TurnInput& input) const;
  io::Task<absl::StatusOr<Pin>> OpenSession(const journal::EventEnvelope& event);
  io::Task<absl::StatusOr<journal::Accepted>> Store(Session& session, Arrival arrival,
                                                    TurnObserver* observer);
  void Undo(Session& session, Arrival& arrival);

  bool HasSlot() const { return running_ < core_.options.max_concurrent_sessions; }
  bool MustWait(const Session& session) const;
  void Occupy(Session& session, std::shared_ptr<TurnRun> run);
  // Ends the session's turn and starts what waits for its place.
  void Release(Session& session);
  void StartNext(Session& session);
  void QueueForSlot(Session& session);
  io::Task<void> Drive(Session* session, std::shared_ptr<TurnRun> run,
                       std::unique_ptr<TurnLoop> loop);
  io::Task<TurnOutcome> RunLoop(TurnRun& run, TurnLoop& loop);
  // Ends a turn that was cancelled before it started.
  io::Task<void> Discard(Pin session, std::shared_ptr<TurnRun> run);
  void Strand(Session& session, const std::shared_ptr<TurnRun>& run);
  void TakeUpStranded(Session& session);
  io::Task<absl::Status> Resume(const journal::TurnRecord& turn);
  io::Task<absl::Status> ResumeAll();
  io::Task<void> CancelAll(SessionId session);
  // Ends when no recovery is under way.
  io::Task<void> Recovered();
  void ParkWaiting();
  bool InUse(const SessionId& session);
  // Forgets the sessions without a key that are due, and arms the timer for the next.
  io::Task<void> ForgetUnnamed();
  void ForgetUnnamedIn(WallTime::duration wait);
  // The wall's time, but no later than time has passed since the start: a clock that is set forward
  // makes no session older.
  WallTime AgingNow() const;

  Core core_;
  io::Nursery nursery_;
  SessionCache sessions_;
  std::unordered_map<TurnId, std::shared_ptr<TurnRun>> runs_;  // running or waiting
  std::deque<SessionId> ready_;                                // sessions that wait for a slot
  std::size_t running_ = 0;
  bool stopping_ = false;
  bool recovering_ = false;
  std::vector<std::shared_ptr<io::OneShot<bool>>> until_recovered_;
  std::shared_ptr<io::OneShot<bool>> drained_;
  const std::pair<WallTime, SteadyTime> started_at_;  // the same moment
  io::TimerId forget_timer_;
  bool forget_armed_ = false;  // or running
};

}  // namespace talon::agent
