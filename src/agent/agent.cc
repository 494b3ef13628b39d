// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "agent/agent_impl.h"
#include "agent/core_tools.h"
#include "agent/live_call.h"
#include "agent/turn_codec.h"
#include "base/log.h"
#include "base/status.h"
#include "io/loop.h"

namespace talon::agent {
namespace {

constexpr std::int64_t kResumePage = 256;  // unfinished turns read at once

// Tells those who watch and wait that the turn ended.
void Announce(TurnRun& run) {
  for (TurnObserver* observer : std::exchange(run.observers, {})) observer->OnEnd(*run.outcome);
  for (auto& waiter : std::exchange(run.waiters, {})) waiter->Set(true);
}

// The outcome of a turn that stays unfinished in the journal.
TurnOutcome Unfinished(const TurnRun& run, absl::Status why) {
  return {.turn = run.turn,
          .session = run.session,
          .state = journal::TurnState::kRunning,
          .answer = {},
          .error = std::move(why)};
}

// The same turn, as a restart would find it. It stays cancelled when it was.
std::shared_ptr<TurnRun> Again(const TurnRun& run) {
  auto again = std::make_shared<TurnRun>();
  again->turn = run.turn;
  again->event = run.event;
  again->session = run.session;
  again->principal = run.principal;
  again->input = run.input;
  again->cancel = run.cancel;
  again->recovered = true;
  again->stranded = true;
  again->unread = run.unread;
  return again;
}

void LogEnd(const TurnRun& run) {
  if (run.outcome->error.ok() || run.parked) return;
  if (absl::IsCancelled(run.outcome->error)) {
    // By the person, or because the client went away: nobody has to act.
    log::Debug("turn cancelled", {{"turn_id", run.turn.str()}, {"session_id", run.session.str()}});
    return;
  }
  log::Warn("turn ended with an error",
            {{"turn_id", run.turn.str()},
             {"session_id", run.session.str()},
             {"reason", ErrorReasonName(ReasonOf(run.outcome->error))},
             {"status", absl::StatusCodeToString(run.outcome->error.code())}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Agent>> Agent::Create(OrchestratorOptions options,
                                                     Dependencies dependencies) {
  TALON_ASSIGN_OR_RETURN(PromptBook prompts, PromptBook::Load(options.prompts_dir));
  TALON_RETURN_IF_ERROR(AddCoreTools(dependencies.catalogue, dependencies.journal,
                                     dependencies.guard.options().max_result.value));
  return std::make_unique<AgentImpl>(
      Core{std::move(options), dependencies, std::move(prompts), {}, {}, {}});
}

AgentImpl::AgentImpl(Core core)
    : core_(std::move(core)),
      nursery_(core_.deps.loop),
      sessions_(core_.deps.journal, core_.deps.clock, core_.deps.ids, core_.options),
      started_at_(core_.deps.clock.Now(), core_.deps.clock.SteadyNow()) {}

AgentImpl::~AgentImpl() {
  core_.deps.loop.CancelTimer(forget_timer_);
}

// An exception out of a turn must not end the process, and every other turn with it.
io::Task<TurnOutcome> AgentImpl::RunLoop(TurnRun& run, TurnLoop& loop) {
  std::string what = "something that is no std::exception";
  try {
    co_return co_await loop.Run();
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
  }
  log::Error("a turn threw an exception",
             {{"turn_id", run.turn.str()}, {"session_id", run.session.str()}, {"what", what}});
  co_return co_await loop.Abandon(
      Internal("the turn ended with an error within talon; the log tells more"));
}

io::Task<void> AgentImpl::Drive(Session* session, std::shared_ptr<TurnRun> run,
                                std::unique_ptr<TurnLoop> loop) {
  bool unrecorded = false;
  absl::Status fresh;
  const bool cut = run->recovered && !session->history.empty() &&
                   session->history.front().turn == run->turn && session->history.front().seq > 1;
  if (session->stale || cut) fresh = co_await sessions_.Refresh(*session, run->turn);
  if (fresh.ok()) {
    if (loop == nullptr) loop = std::make_unique<TurnLoop>(core_, *session, *run);
    run->outcome = co_await RunLoop(*run, *loop);
    unrecorded = loop->unrecorded();
  } else {
    run->outcome = Unfinished(*run, Annotate(fresh, "the session could not be loaded"));
    unrecorded = !absl::IsNotFound(fresh);
  }
  loop.reset();
  LogEnd(*run);
  runs_.erase(run->turn);
  session->Trim(core_.options.context_messages);
  if (unrecorded) Strand(*session, run);
  if (session->record.key == session->record.id.str()) {
    ForgetUnnamedIn(core_.deps.journal.keep_unnamed());
  }
  Release(*session);
  Announce(*run);
}

void AgentImpl::Occupy(Session& session, std::shared_ptr<TurnRun> run) {
  run->started = true;
  session.running = std::move(run);
  ++running_;
}

void AgentImpl::QueueForSlot(Session& session) {
  if (!std::exchange(session.ready, true)) ready_.push_back(session.record.id);
}

void AgentImpl::Release(Session& session) {
  session.running = nullptr;
  --running_;
  if (running_ == 0 && drained_ != nullptr) drained_->Set(true);
  // Behind the sessions that wait already: a long queue must not keep the place.
  if (!session.waiting.empty()) QueueForSlot(session);
  while (!ready_.empty() && HasSlot()) {
    Session* next = sessions_.Find(ready_.front());
    ready_.pop_front();
    next->ready = false;
    StartNext(*next);
  }
}

void AgentImpl::StartNext(Session& session) {
  if (stopping_ || session.running != nullptr || session.waiting.empty()) return;
  if (!HasSlot()) {
    QueueForSlot(session);
    return;
  }
  std::shared_ptr<TurnRun> run = session.waiting.front();
  session.waiting.pop_front();
  Occupy(session, run);
  nursery_.Spawn(Drive(&session, run, nullptr));
}

// The journal is behind the session in memory. The turn and those behind it go back to where a
// restart would find them, and are taken up before the session's next turn.
void AgentImpl::Strand(Session& session, const std::shared_ptr<TurnRun>& run) {
  log::Error("turn not recorded; it resumes with the session's next turn or at the next start",
             {{"turn_id", run->turn.str()}, {"status", StatusText(run->outcome->error)}});
  session.stale = true;
  session.stranded.push_back(Again(*run));
  for (const auto& waiting : std::exchange(session.waiting, {})) {
    session.stranded.push_back(Again(*waiting));
    waiting->outcome = Unfinished(*waiting, run->outcome->error);
    runs_.erase(waiting->turn);
    Announce(*waiting);
  }
}

void AgentImpl::TakeUpStranded(Session& session) {
  if (stopping_) return;
  for (; !session.stranded.empty(); session.stranded.pop_back()) {
    const std::shared_ptr<TurnRun>& run = session.stranded.back();
    runs_[run->turn] = run;
    session.waiting.push_front(run);
  }
}

io::Task<absl::Status> AgentImpl::Answer(Principal principal, TurnId turn, QuestionId question,
                                         tool::AnswerAction action, std::string content) {
  auto found = runs_.find(turn);
  if (found == runs_.end() || found->second->principal.tenant != principal.tenant ||
      found->second->principal.user != principal.user) {
    co_return NotFound(fmt::format("turn '{}' does not run", turn.str()));
  }
  const std::shared_ptr<TurnRun> run = found->second;
  co_return co_await AnswerQuestion(*run, question, action, std::move(content));
}

io::Task<absl::StatusOr<TurnOutcome>> AgentImpl::Await(TurnId turn, CallContext context) {
  co_await Recovered();
  auto found = runs_.find(turn);
  if (found != runs_.end()) {
    std::shared_ptr<TurnRun> run = found->second;
    auto waiter = std::make_shared<io::OneShot<bool>>();
    run->waiters.push_back(waiter);
    auto cancelled = context.cancel.OnCancel([waiter] { waiter->Set(false); });
    io::TimerId timer;
    if (context.deadline != SteadyTime::max()) {
      timer = core_.deps.loop.CallAt(context.deadline, [waiter] { waiter->Set(false); });
    }
    const bool ended = co_await waiter->Wait();
    core_.deps.loop.CancelTimer(timer);
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

io::Task<absl::StatusOr<Principal>> AgentImpl::OwnerOf(TurnId turn) {
  if (const auto found = runs_.find(turn); found != runs_.end()) co_return found->second->principal;
  auto record = co_await core_.deps.journal.LoadTurn(std::move(turn));
  if (!record.ok()) co_return record.status();
  co_return std::move(record->principal);
}

bool AgentImpl::Cancel(const TurnId& turn, absl::Status reason) {
  auto found = runs_.find(turn);
  if (found == runs_.end()) return false;
  std::shared_ptr<TurnRun> run = found->second;
  run->cancel.Cancel(std::move(reason));
  if (run->started) return true;
  // It waits: it need not do so to its place in the queue.
  Session* session = sessions_.Find(run->session);
  std::erase(session->waiting, run);
  run->started = true;
  nursery_.Spawn(Discard(Pin(*session), std::move(run)));
  return true;
}

io::Task<void> AgentImpl::Discard(Pin session, std::shared_ptr<TurnRun> run) {
  // A cancelled turn ends before it touches the session.
  TurnLoop loop(core_, *session, *run);
  run->outcome = co_await RunLoop(*run, loop);
  LogEnd(*run);
  runs_.erase(run->turn);
  if (loop.unrecorded()) (*session).stranded.push_back(Again(*run));
  Announce(*run);
}

io::Task<absl::StatusOr<std::vector<Undelivered>>> AgentImpl::LoadUndelivered(std::string origin) {
  co_await Recovered();
  std::vector<TurnId> open;
  for (const auto& [turn, run] : runs_) {
    if (run->principal.origin == origin) open.push_back(turn);
  }
  std::vector<Undelivered> found;
  for (const TurnId& turn : open) {
    TALON_CO_ASSIGN_OR_RETURN(const journal::TurnRecord record,
                              co_await core_.deps.journal.LoadTurn(turn));
    TALON_CO_ASSIGN_OR_RETURN(TurnInput input, DecodeInput(record.payload));
    if (!input.reply_to.empty()) found.push_back({turn, std::move(input.reply_to)});
  }
  // Behind them: what ended meanwhile is in both.
  TALON_CO_ASSIGN_OR_RETURN(auto pending,
                            co_await core_.deps.journal.PendingOutbox(std::move(origin)));
  for (journal::OutboxRecord& answer : pending) {
    if (std::ranges::find(open, answer.turn) != open.end()) continue;
    found.push_back({std::move(answer.turn), std::move(answer.payload)});
  }
  co_return found;
}

io::Task<absl::StatusOr<bool>> AgentImpl::CountDelivery(TurnId turn, std::int64_t most) {
  return core_.deps.journal.CountDelivery(std::move(turn), most);
}

void AgentImpl::Delivered(const TurnId& turn) {
  core_.deps.journal.MarkDelivered(turn);
}

io::Task<absl::Status> AgentImpl::Recover() {
  recovering_ = true;
  absl::Status status = co_await ResumeAll();
  recovering_ = false;
  for (auto& waiter : std::exchange(until_recovered_, {})) waiter->Set(true);
  if (core_.deps.journal.keep_unnamed().count() > 0 && !std::exchange(forget_armed_, true)) {
    nursery_.Spawn(ForgetUnnamed());
  }
  co_return status;
}

io::Task<void> AgentImpl::Recovered() {
  if (!recovering_) co_return;
  auto recovered = std::make_shared<io::OneShot<bool>>();
  until_recovered_.push_back(recovered);
  co_await recovered->Wait();
}

io::Task<absl::Status> AgentImpl::ResumeAll() {
  std::size_t count = 0;
  for (std::int64_t after = 0;;) {
    TALON_CO_ASSIGN_OR_RETURN(const journal::UnfinishedPage page,
                              co_await core_.deps.journal.UnfinishedTurns(after, kResumePage));
    for (const journal::TurnRecord& turn : page.turns) {
      if (absl::Status resumed = co_await Resume(turn); !resumed.ok()) {
        log::Error("a turn cannot be resumed; it stays unfinished",
                   {{"turn_id", turn.id.str()}, {"status", StatusText(resumed)}});
      }
    }
    count += page.turns.size();
    after = page.last;
    if (page.turns.empty()) break;
  }
  if (count > 0) log::Info("unfinished turns taken up", {{"count", count}});
  co_return absl::OkStatus();
}

io::Task<absl::Status> AgentImpl::Resume(const journal::TurnRecord& turn) {
  auto run = std::make_shared<TurnRun>();
  run->turn = turn.id;
  run->event = turn.event;
  run->session = turn.session;
  run->principal = turn.principal;
  run->recovered = true;
  run->unread = true;
  TALON_CO_ASSIGN_OR_RETURN(const journal::SessionRecord record,
                            co_await core_.deps.journal.LoadSession(turn.session));
  TALON_CO_ASSIGN_OR_RETURN(Session * session,
                            co_await sessions_.Open(record.principal, record.key));
  if (stopping_) co_return absl::OkStatus();  // the next start has it
  runs_[run->turn] = run;
  session->waiting.push_back(run);
  StartNext(*session);
  // A session that waits for its turn's place is loaded when that comes: there may be many.
  if (session->running == nullptr) {
    session->history.clear();
    session->stale = true;
  }
  co_return absl::OkStatus();
}

void AgentImpl::ParkWaiting() {
  for (auto runs = runs_; auto& [id, run] : runs) {
    if (run->started) continue;
    run->parked = true;
    run->outcome =
        Unfinished(*run, Unavailable("the daemon is stopping; the turn runs at its next start"));
    runs_.erase(id);
    Announce(*run);
  }
}

io::Task<void> AgentImpl::Stop(SteadyTime deadline) {
  stopping_ = true;
  core_.deps.loop.CancelTimer(forget_timer_);
  ParkWaiting();
  if (running_ > 0) {
    auto drained = drained_ = std::make_shared<io::OneShot<bool>>();
    const io::TimerId timer = core_.deps.loop.CallAt(deadline, [drained] { drained->Set(false); });
    co_await drained->Wait();
    core_.deps.loop.CancelTimer(timer);
    drained_ = nullptr;
  }
  for (auto runs = runs_; auto& [id, run] : runs) {
    // One that was cancelled before ends as such.
    run->parked = !run->cancel.token().cancelled();
    run->cancel.Cancel(Unavailable("the daemon is stopping; the turn resumes at its next start"));
  }
  co_await nursery_.Join();
}

io::Task<absl::StatusOr<ContextReport>> AgentImpl::Context(Principal principal,
                                                           std::string session_key,
                                                           std::string model) {
  Session scratch;
  scratch.record.principal = principal;
  if (!session_key.empty()) {
    auto opened = co_await sessions_.Open(principal, session_key);
    TALON_CO_RETURN_IF_ERROR(opened.status());
    scratch.record = (*opened)->record;
    scratch.history = (*opened)->history;
    scratch.label = (*opened)->label;
    scratch.last_seq = (*opened)->last_seq;
    if (!(*opened)->persisted && (*opened)->idle()) (*opened)->stale = true;
  }
  TurnRun run;
  run.turn = NewTurnId(core_.deps.ids);
  run.principal = principal;
  run.input.model = std::move(model);
  run.input.messages = {model::TextMessage(model::Role::kUser, "ping", Integrity::kUser)};
  TurnLoop loop(core_, scratch, run);
  TALON_CO_RETURN_IF_ERROR(loop.Prepare());
  co_return loop.Report();
}

std::size_t AgentImpl::running_turns() const {
  return running_;
}

void AgentImpl::Evict(const SessionId& session) {
  sessions_.Evict(session);
}

// Cancels what runs or waits in the session until nothing does. A turn that arrives meanwhile is
// cancelled too.
io::Task<void> AgentImpl::CancelAll(SessionId id) {
  while (true) {
    std::vector<TurnId> turns;
    for (const auto& [turn, run] : runs_) {
      if (run->session == id) turns.push_back(turn);
    }
    if (turns.empty()) co_return;
    for (const TurnId& turn : turns) Cancel(turn, Cancelled("the session was deleted"));
    for (const TurnId& turn : turns) (co_await Await(turn, {})).IgnoreError();
  }
}

io::Task<absl::Status> AgentImpl::DeleteSession(SessionId id, OpenTurns turns) {
  if (turns == OpenTurns::kCancel) co_await CancelAll(id);
  Session* session = sessions_.Find(id);
  if (session != nullptr &&
      (session->running != nullptr || !session->waiting.empty() || session->pins > 0)) {
    co_return FailedPrecondition(fmt::format(
        "session '{}' has {}; wait for it or cancel it, or delete with force, which cancels first",
        session->record.key,
        session->running != nullptr
            ? fmt::format("turn '{}' under way", session->running->turn.str())
            : "a turn under way"));
  }
  TALON_CO_RETURN_IF_ERROR(co_await core_.deps.journal.DeleteSession(id));
  // What is stranded in it went with it.
  if (session = sessions_.Find(id); session != nullptr) session->stranded.clear();
  sessions_.Evict(id);
  co_return absl::OkStatus();
}

}  // namespace talon::agent
