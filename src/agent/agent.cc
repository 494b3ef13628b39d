// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include "agent/agent_impl.h"
#include "agent/core_tools.h"
#include "agent/turn_codec.h"
#include "base/log.h"
#include "base/status.h"
#include "io/loop.h"

namespace talon::agent {
namespace {

constexpr std::size_t kMaxInputMessages = 1000;

absl::Status CheckInput(const TurnInput& input) {
  if (input.messages.empty()) return InvalidArgument("a turn needs at least one message");
  if (input.messages.size() > kMaxInputMessages) {
    return InvalidArgument(fmt::format("{} messages in one request; the limit is {}",
                                       input.messages.size(), kMaxInputMessages));
  }
  return absl::OkStatus();
}

// Sets `expired` to false at `until`, unless `stop` is cancelled first.
io::Task<void> ExpireAt(io::Loop* loop, SteadyTime until, CancelToken stop,
                        std::shared_ptr<io::OneShot<bool>> expired) {
  CallContext context;
  context.cancel = stop;
  if ((co_await loop->SleepUntil(until, context)).ok()) expired->Set(false);
}

// Tells those who watch and wait that the turn ended.
void Announce(TurnRun& run) {
  for (TurnObserver* observer : std::exchange(run.observers, {})) observer->OnEnd(*run.outcome);
  for (auto& waiter : std::exchange(run.waiters, {})) waiter->Set(true);
}

// Keeps a session in memory across a suspension.
class Pin {
 public:
  explicit Pin(Session& session) : session_(session) { ++session_.pins; }
  ~Pin() { --session_.pins; }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

 private:
  Session& session_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Agent>> Agent::Create(OrchestratorOptions options,
                                                     Dependencies dependencies) {
  TALON_ASSIGN_OR_RETURN(PromptBook prompts, PromptBook::Load(options.prompts_dir));
  TALON_RETURN_IF_ERROR(AddCoreTools(dependencies.catalogue, dependencies.journal));
  return std::make_unique<AgentImpl>(
      Core{std::move(options), dependencies, std::move(prompts), {}, {}});
}

AgentImpl::AgentImpl(Core core)
    : core_(std::move(core)),
      nursery_(core_.deps.loop),
      sessions_(core_.deps.journal, core_.deps.clock, core_.deps.ids, core_.options) {}

io::Task<absl::StatusOr<journal::Accepted>> AgentImpl::Submit(journal::EventEnvelope event,
                                                              TurnInput input,
                                                              TurnObserver* observer) {
  if (stopping_) co_return Unavailable("the daemon is stopping; try again in a moment");
  TALON_CO_RETURN_IF_ERROR(CheckInput(input));
  if (!input.model.empty()) {
    TALON_CO_RETURN_IF_ERROR(core_.deps.router.Resolve(input.model).status());
  }
  auto opened = co_await sessions_.Open(event.principal, event.session_key);
  TALON_CO_RETURN_IF_ERROR(opened.status());
  Session& session = **opened;
  Pin pin(session);
  TakeUpStranded(session);
  if (session.waiting.size() >= core_.options.max_queued_turns) {
    co_return ResourceExhausted(
        fmt::format("session '{}' already has {} turns waiting (orchestrator.max_queued_turns)",
                    session.record.key, session.waiting.size()));
  }

  auto run = std::make_shared<TurnRun>();
  run->turn = NewTurnId(core_.deps.ids);
  run->event = event.id = NewEventId(core_.deps.ids);
  run->session = session.record.id;
  run->principal = event.principal;
  run->input = std::move(input);
  event.received_at = core_.deps.clock.Now();
  event.payload = EncodeInput(run->input);
  journal::TurnRecord turn;
  turn.id = run->turn;
  turn.session = run->session;
  turn.event = run->event;
  turn.principal = run->principal;
  turn.started_at = event.received_at;

  // An idle session starts at once: the turn's first records join the event's commit.
  std::unique_ptr<TurnLoop> loop;
  journal::Entry entry;
  if (session.running == nullptr && session.waiting.empty() && HasSlot()) {
    loop = std::make_unique<TurnLoop>(core_, session, *run);
    if (absl::Status ready = loop->Prepare(); !ready.ok()) {
      loop->Revert();
      co_return ready;
    }
    entry = loop->TakeEntry();
    Occupy(session, run);
  }
  const bool creates = !std::exchange(session.persisted, true);
  if (creates) entry.new_sessions.push_back(session.record);

  auto accepted =
      co_await core_.deps.journal.Accept(std::move(event), std::move(turn), std::move(entry));
  if (!accepted.ok() || accepted->duplicate) {
    core_.stored_snapshots.clear();
    if (creates) session.persisted = false;
    if (loop != nullptr) {
      loop->Revert();
      Release(session);
    }
    if (creates && session.idle()) session.discard = true;
    co_return accepted;
  }
  if (observer != nullptr) run->observers.push_back(observer);
  runs_[run->turn] = run;
  if (loop != nullptr) {
    nursery_.Spawn(Drive(&session, run, std::move(loop)));
  } else {
    session.waiting.push_back(run);
    StartNext(session);
  }
  co_return accepted;
}

io::Task<void> AgentImpl::Drive(Session* session, std::shared_ptr<TurnRun> run,
                                std::unique_ptr<TurnLoop> loop) {
  run->outcome = co_await loop->Run();
  if (!run->outcome->error.ok() && !run->parked) {
    log::Warn("turn ended with an error",
              {{"turn_id", run->turn.str()},
               {"session_id", run->session.str()},
               {"reason", ErrorReasonName(ReasonOf(run->outcome->error))},
               {"status", absl::StatusCodeToString(run->outcome->error.code())}});
  }
  const bool unrecorded = loop->store_failed();
  loop.reset();
  runs_.erase(run->turn);
  if (unrecorded) Strand(*session, run);
  Release(*session);
  Announce(*run);
}

void AgentImpl::Occupy(Session& session, std::shared_ptr<TurnRun> run) {
  session.running = std::move(run);
  ++running_;
}

void AgentImpl::Release(Session& session) {
  session.running = nullptr;
  --running_;
  if (running_ == 0 && drained_ != nullptr) drained_->Set(true);
  StartNext(session);
  while (!ready_.empty() && HasSlot()) {
    const SessionId id = ready_.front();
    ready_.pop_front();
    if (Session* next = sessions_.Find(id)) StartNext(*next);
  }
}

void AgentImpl::StartNext(Session& session) {
  if (stopping_ || session.running != nullptr || session.waiting.empty()) return;
  if (!HasSlot()) {
    ready_.push_back(session.record.id);
    return;
  }
  std::shared_ptr<TurnRun> run = session.waiting.front();
  session.waiting.pop_front();
  Occupy(session, run);
  nursery_.Spawn(Drive(&session, run, std::make_unique<TurnLoop>(core_, session, *run)));
}

// The journal is behind the session in memory: both its turns go back to where a restart would find
// them, and are taken up by the session's next turn.
void AgentImpl::Strand(Session& session, const std::shared_ptr<TurnRun>& run) {
  log::Error("turn not recorded; it resumes with the session's next turn or at the next start",
             {{"turn_id", run->turn.str()}, {"status", StatusText(run->outcome->error)}});
  auto& stranded = stranded_[session.record.id];
  stranded.push_back(run->turn);
  for (const auto& waiting : session.waiting) {
    stranded.push_back(waiting->turn);
    waiting->outcome = TurnOutcome{.turn = waiting->turn,
                                   .session = waiting->session,
                                   .state = journal::TurnState::kRunning,
                                   .answer = {},
                                   .error = run->outcome->error};
    runs_.erase(waiting->turn);
    Announce(*waiting);
  }
  session.waiting.clear();
  session.discard = true;
}

void AgentImpl::TakeUpStranded(Session& session) {
  auto found = stranded_.find(session.record.id);
  if (found == stranded_.end()) return;
  std::vector<TurnId> turns = std::move(found->second);
  stranded_.erase(found);
  nursery_.Spawn([](AgentImpl* self, std::vector<TurnId> ids) -> io::Task<void> {
    for (const TurnId& id : ids) {
      auto turn = co_await self->core_.deps.journal.LoadTurn(id);
      if (turn.ok() && turn->state == journal::TurnState::kRunning) {
        co_await self->Resume(*std::move(turn));
      }
    }
  }(this, std::move(turns)));
}

void AgentImpl::Forget(const TurnId& turn, TurnObserver* observer) {
  if (auto found = runs_.find(turn); found != runs_.end()) {
    std::erase(found->second->observers, observer);
  }
}

io::Task<absl::StatusOr<TurnOutcome>> AgentImpl::Await(TurnId turn, CallContext context) {
  auto found = runs_.find(turn);
  if (found != runs_.end()) {
    std::shared_ptr<TurnRun> run = found->second;
    auto waiter = std::make_shared<io::OneShot<bool>>();
    run->waiters.push_back(waiter);
    auto cancelled = context.cancel.OnCancel([waiter] { waiter->Set(false); });
    CancelSource timer;
    if (context.deadline != SteadyTime::max()) {
      nursery_.Spawn(ExpireAt(&core_.deps.loop, context.deadline, timer.token(), waiter));
    }
    const bool ended = co_await waiter->Wait();
    timer.Cancel(Cancelled("the wait is over"));
    std::erase(run->waiters, waiter);
    if (ended) co_return *run->outcome;
    if (context.cancel.cancelled()) co_return context.cancel.status();
    co_return DeadlineExceeded(fmt::format("turn '{}' still runs", turn.str()));
  }
  auto record = co_await core_.deps.journal.LoadTurn(turn);
  TALON_CO_RETURN_IF_ERROR(record.status());
  TurnOutcome outcome;
  outcome.turn = record->id;
  outcome.session = record->session;
  outcome.state = record->state;
  if (record->state == journal::TurnState::kCompleted) {
    TALON_CO_ASSIGN_OR_RETURN(outcome.answer, DecodeAnswer(record->answer));
  } else if (record->state == journal::TurnState::kRunning) {
    outcome.error = Unavailable(fmt::format("turn '{}' waits to be resumed", turn.str()));
  } else {
    outcome.error = DecodeError(record->error);
  }
  co_return outcome;
}

bool AgentImpl::Cancel(const TurnId& turn, absl::Status reason) {
  auto found = runs_.find(turn);
  if (found == runs_.end()) return false;
  found->second->cancel.Cancel(std::move(reason));
  return true;
}

void AgentImpl::Delivered(const TurnId& turn) {
  core_.deps.journal.MarkDelivered(turn, "caller");
}

io::Task<absl::Status> AgentImpl::Recover() {
  auto turns = co_await core_.deps.journal.UnfinishedTurns();
  TALON_CO_RETURN_IF_ERROR(turns.status());
  if (!turns->empty()) log::Info("resuming unfinished turns", {{"count", turns->size()}});
  for (journal::TurnRecord& turn : *turns) co_await Resume(std::move(turn));
  co_return absl::OkStatus();
}

io::Task<void> AgentImpl::Resume(journal::TurnRecord turn) {
  auto run = std::make_shared<TurnRun>();
  run->turn = turn.id;
  run->event = turn.event;
  run->session = turn.session;
  run->principal = turn.principal;
  run->recovered = true;
  auto input = DecodeInput(turn.payload);
  auto record = co_await core_.deps.journal.LoadSession(turn.session);
  if (!input.ok() || !record.ok()) {
    const absl::Status error = input.ok() ? record.status() : input.status();
    log::Error("a turn cannot be resumed",
               {{"turn_id", turn.id.str()}, {"status", StatusText(error)}});
    journal::Entry entry;
    entry.turn_end = {turn.id, journal::TurnState::kFailed, "", EncodeError(error)};
    core_.deps.journal.AppendLater(std::move(entry));
    co_return;
  }
  run->input = *std::move(input);
  auto session = co_await sessions_.Open(record->principal, record->key);
  if (!session.ok() || stopping_ || runs_.contains(run->turn)) co_return;
  runs_[run->turn] = run;
  (*session)->waiting.push_back(run);
  StartNext(**session);
}

io::Task<void> AgentImpl::Stop(SteadyTime deadline) {
  stopping_ = true;
  if (running_ > 0) {
    auto drained = std::make_shared<io::OneShot<bool>>();
    drained_ = drained;
    CancelSource timer;
    nursery_.Spawn(ExpireAt(&core_.deps.loop, deadline, timer.token(), drained));
    co_await drained->Wait();
    drained_ = nullptr;
    timer.Cancel(Cancelled("drained"));
  }
  for (auto runs = runs_; auto& [id, run] : runs) {
    run->parked = true;
    run->cancel.Cancel(Unavailable("the daemon is stopping; the turn resumes at its next start"));
  }
  co_await nursery_.Join();
  for (auto runs = std::exchange(runs_, {}); auto& [id, run] : runs) {
    run->outcome = TurnOutcome{.turn = run->turn,
                               .session = run->session,
                               .state = journal::TurnState::kRunning,
                               .answer = {},
                               .error = run->cancel.token().status()};
    Announce(*run);
  }
}

io::Task<absl::StatusOr<ContextReport>> AgentImpl::Context(Principal principal,
                                                           std::string session_key,
                                                           std::string model) {
  Session scratch;
  scratch.record.principal = principal;
  if (!session_key.empty()) {
    auto opened = co_await sessions_.Open(principal, session_key);
    TALON_CO_RETURN_IF_ERROR(opened.status());
    scratch = **opened;
    scratch.running = nullptr;
    scratch.waiting.clear();
    if (!(*opened)->persisted && (*opened)->idle()) (*opened)->discard = true;
  }
  TurnRun run;
  run.turn = NewTurnId(core_.deps.ids);
  run.principal = principal;
  run.input.model = std::move(model);
  run.input.messages = {model::TextMessage(model::Role::kUser, "ping", Integrity::kUser)};
  TurnLoop loop(core_, scratch, run);
  const auto stored = core_.stored_snapshots;
  absl::Status ready = loop.Prepare();
  core_.stored_snapshots = stored;
  TALON_CO_RETURN_IF_ERROR(ready);
  co_return loop.Report();
}

std::size_t AgentImpl::running_turns() const {
  return running_;
}

void AgentImpl::Evict(const SessionId& session) {
  sessions_.Evict(session);
}

}  // namespace talon::agent
