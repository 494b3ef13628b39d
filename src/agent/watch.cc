// SPDX-License-Identifier: Apache-2.0
// Who watches a turn: AgentImpl::Watch and Forget.
#include "agent/agent_impl.h"
#include "agent/live_call.h"

namespace talon::agent {
namespace {

void CatchUp(const TurnRun& run, TurnObserver& observer) {
  if (!run.shown.empty()) observer.OnText(run.shown);
  if (run.input.mode == TurnMode::kChat) {
    for (const auto& [id, open] : run.questions) {
      if (!open->answer.is_set() && observer.OnQuestion(open->shown)) {
        open->shown_to.push_back(&observer);
      }
    }
  }
  for (const auto& [id, open] : run.approvals) observer.OnApproval(open->shown);
}

}  // namespace

io::Task<void> AgentImpl::Watch(TurnId turn, TurnObserver& observer) {
  co_await Recovered();
  if (const auto found = runs_.find(turn); found != runs_.end()) {
    CatchUp(*found->second, observer);
    found->second->observers.push_back(&observer);
    co_return;
  }
  TurnOutcome unknown;
  unknown.turn = turn;
  unknown.state = journal::TurnState::kRunning;
  const auto outcome = co_await Await(turn, {});
  unknown.error = outcome.status();
  observer.OnEnd(outcome.ok() ? *outcome : unknown);
}

void AgentImpl::Forget(const TurnId& turn, TurnObserver* observer) {
  auto found = runs_.find(turn);
  if (found == runs_.end()) return;
  std::erase(found->second->observers, observer);
  LeaveQuestions(*found->second, observer);
}

}  // namespace talon::agent
