// SPDX-License-Identifier: Apache-2.0
#include "journal/names.h"

#include <fmt/core.h>

#include <array>
#include <utility>

#include "base/status.h"
#include "journal/records.h"

namespace talon::journal {
namespace {

template <class E, std::size_t N>
using Names = std::array<std::pair<E, std::string_view>, N>;

constexpr Names<Priority, 4> kPriorities{{{Priority::kUserBlocking, "user_blocking"},
                                          {Priority::kInteractive, "interactive"},
                                          {Priority::kBackground, "background"},
                                          {Priority::kMaintenance, "maintenance"}}};

constexpr Names<TurnState, 4> kTurnStates{{{TurnState::kRunning, "running"},
                                           {TurnState::kCompleted, "completed"},
                                           {TurnState::kFailed, "failed"},
                                           {TurnState::kCancelled, "cancelled"}}};

constexpr Names<StepKind, 15> kStepKinds{{{StepKind::kAccepted, "accepted"},
                                          {StepKind::kModelStarted, "model_started"},
                                          {StepKind::kModelFinished, "model_finished"},
                                          {StepKind::kModelFailed, "model_failed"},
                                          {StepKind::kToolIntended, "tool_intended"},
                                          {StepKind::kToolFinished, "tool_finished"},
                                          {StepKind::kQuestionAsked, "question_asked"},
                                          {StepKind::kQuestionAnswered, "question_answered"},
                                          {StepKind::kApprovalAsked, "approval_asked"},
                                          {StepKind::kApprovalAnswered, "approval_answered"},
                                          {StepKind::kRepair, "repair"},
                                          {StepKind::kAdvice, "advice"},
                                          {StepKind::kDelivered, "delivered"},
                                          {StepKind::kFinished, "finished"},
                                          {StepKind::kResumed, "resumed"}}};

constexpr Names<EffectState, 4> kEffectStates{{{EffectState::kIntended, "intended"},
                                               {EffectState::kDone, "done"},
                                               {EffectState::kFailed, "failed"},
                                               {EffectState::kUnknown, "unknown"}}};

constexpr Names<ApprovalState, 4> kApprovalStates{{{ApprovalState::kOpen, "open"},
                                                   {ApprovalState::kApproved, "approved"},
                                                   {ApprovalState::kDenied, "denied"},
                                                   {ApprovalState::kExpired, "expired"}}};

constexpr Names<OutboxState, 3> kOutboxStates{{{OutboxState::kPending, "pending"},
                                               {OutboxState::kDelivered, "delivered"},
                                               {OutboxState::kDead, "dead"}}};

template <class E, std::size_t N>
std::string_view NameOf(const Names<E, N>& names, E value) {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) return name;
  }
  return "invalid";
}

template <class E, std::size_t N>
absl::StatusOr<E> Find(const Names<E, N>& names, std::string_view what, std::string_view name) {
  for (const auto& [value, candidate] : names) {
    if (candidate == name) return value;
  }
  return Internal(fmt::format("journal: read: '{}' is no {}", name, what));
}

}  // namespace

std::string_view PriorityName(Priority priority) {
  return NameOf(kPriorities, priority);
}
std::string_view TurnStateName(TurnState state) {
  return NameOf(kTurnStates, state);
}
std::string_view StepKindName(StepKind kind) {
  return NameOf(kStepKinds, kind);
}
std::string_view EffectStateName(EffectState state) {
  return NameOf(kEffectStates, state);
}
std::string_view ApprovalStateName(ApprovalState state) {
  return NameOf(kApprovalStates, state);
}
std::string_view OutboxStateName(OutboxState state) {
  return NameOf(kOutboxStates, state);
}

absl::StatusOr<TurnState> ParseTurnState(std::string_view name) {
  return Find(kTurnStates, "turn state", name);
}
absl::StatusOr<StepKind> ParseStepKind(std::string_view name) {
  return Find(kStepKinds, "step kind", name);
}
absl::StatusOr<EffectState> ParseEffectState(std::string_view name) {
  return Find(kEffectStates, "effect state", name);
}
absl::StatusOr<ApprovalState> ParseApprovalState(std::string_view name) {
  return Find(kApprovalStates, "approval state", name);
}

}  // namespace talon::journal
