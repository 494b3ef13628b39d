// SPDX-License-Identifier: Apache-2.0
// The records of the journal. What has happened is appended and never changed; the present is a
// fold of it. Message content and step data are JSON text whose shape belongs to the room that
// writes them (model/codec.h for messages, agent/ for steps). Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/label.h"
#include "base/principal.h"

namespace talon::journal {

// Strict order of service; the names are stored.
enum class Priority { kUserBlocking, kInteractive, kBackground, kMaintenance };

// What arrives from a person, a program, a clock or a file.
struct EventEnvelope {
  EventId id;
  std::string source;      // "cli", "http", "channel:telegram", "cron", …
  std::string dedupe_key;  // unique within (source, principal); empty = never a duplicate
  // With a dedupe key: digest of what was asked. A duplicate key with another digest is refused.
  std::string payload_digest;
  Principal principal;
  Label label;
  std::string session_key;  // names the conversation within the principal; empty = a new one
  Priority priority = Priority::kInteractive;
  std::string payload;  // JSON
  WallTime received_at;
};

enum class TurnState { kRunning, kCompleted, kFailed, kCancelled };
std::string_view TurnStateName(TurnState state);

struct SessionRecord {
  SessionId id;
  std::string key;
  Principal principal;
  std::string title;
  std::string model;     // pinned by /model; empty = the router decides
  std::string settings;  // JSON of the room that owns sessions
  WallTime created_at, updated_at;
  std::int64_t message_count = 0;
};

struct TurnRecord {
  TurnId id;
  SessionId session;
  EventId event;
  Principal principal;
  TurnState state = TurnState::kRunning;
  std::string payload;  // of its event
  std::string answer;   // JSON, when completed: what the caller was or will be told
  std::string error;    // JSON, when failed
  WallTime started_at, finished_at;
};

struct MessageRecord {
  SessionId session;
  std::int64_t seq = 0;  // position in the session, from 1, without gaps
  TurnId turn;
  std::string role;  // system, user, assistant, tool
  std::string content;
  Label label;
  Principal principal;
  WallTime created_at;
};

enum class StepKind {
  kAccepted,
  kModelStarted,
  kModelFinished,
  kModelFailed,
  kToolIntended,
  kToolFinished,
  kQuestionAsked,
  kQuestionAnswered,
  kApprovalAsked,
  kApprovalAnswered,
  kRepair,
  kAdvice,  // of a hook
  kDelivered,
  kFinished,
  kResumed,
};
std::string_view StepKindName(StepKind kind);

struct StepRecord {
  TurnId turn;
  std::int64_t seq = 0;  // position in the turn, from 1
  StepKind kind = StepKind::kAccepted;
  std::string data;  // JSON
  Label label;
  WallTime at;
};

// A tool call that changes something, keyed so that it happens once.
enum class EffectState { kIntended, kDone, kFailed, kUnknown };
std::string_view EffectStateName(EffectState state);
struct EffectRecord {
  std::string key;  // sha256 of (turn, call id, tool, canonical arguments)
  TurnId turn;
  std::string call_id;
  std::string tool;
  std::string effect_class;  // write, send, exec, spend, admin
  EffectState state = EffectState::kIntended;
  std::string
      result;  // JSON; of one that is done {"compensation": {"tool", "arguments"}}, or empty
  Principal principal;
  Label label;
};

struct ArtifactRecord {
  ArtifactId id;
  SessionId session;
  TurnId turn;
  std::string media_type;
  std::string content;  // raw bytes
  Label label;
  Principal principal;
  bool once = false;  // the id stands for the content: when it is there already, it stays
};

// A prompt as it was sent, stored once a content.
struct PromptSnapshot {
  std::string hash;  // sha256 of content
  std::string content;
};

// A call that waits for the person's word, and what it was. Answered once.
enum class ApprovalState { kOpen, kApproved, kDenied, kExpired };
std::string_view ApprovalStateName(ApprovalState state);
struct ApprovalRecord {
  std::string id;
  TurnId turn;
  SessionId session;
  std::string call_id, tool;
  std::string arguments;  // canonical
  std::string digest;     // of tool and arguments: the exact call that is approved
  std::string judgement;  // JSON of guard/effect_check.h: each value and where it came from
  std::string reason;     // why it is asked
  std::string factor;     // click, code
  std::string code_hash;
  std::int64_t tries = 0;  // wrong codes
  ApprovalState state = ApprovalState::kOpen;
  std::string answered_by;
  WallTime created_at, expires_at, answered_at;
  Principal principal;  // of the turn
  Label label;
};

// The person's standing word: calls that fit need no approval until a time.
struct GrantRecord {
  std::string id;
  Principal principal;    // whose calls: tenant, user and agent
  std::string tool;       // a glob
  std::string arguments;  // JSON object: a glob an argument
  WallTime expires_at, created_at;
  std::string created_by;
};

// Something that is due at a time. What `payload` means belongs to the room that owns the kind.
struct TimerRecord {
  std::string id;
  WallTime wake_at;
  std::string kind, key;
  std::string payload;  // JSON
  Principal principal;
  Label label{.integrity = Integrity::kSystem, .readers = {}};
};

// An answer that the daemon itself brings to somebody. Delivered at least once; receivers drop
// duplicates by `dedupe_key`. Who waits for its turn needs none: the turn has the answer.
enum class OutboxState { kPending, kDelivered, kDead };
struct OutboxRecord {
  OutboxId id;
  TurnId turn;
  SessionId session;
  std::string target;      // the origin that asked: "channel:telegram"
  std::string dedupe_key;  // of the turn
  std::string payload;     // JSON of the target's room: where it goes there
  OutboxState state = OutboxState::kPending;
  std::int64_t attempts = 0;
  Principal principal;
  Label label;
};

}  // namespace talon::journal
