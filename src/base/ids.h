// SPDX-License-Identifier: Apache-2.0
// Ids are types, so that a turn id cannot be passed for a session id. Textual form: a prefix and 26
// lower-case Crockford base-32 characters (48 bits of milliseconds, 80 random bits), so ids sort by
// birth. Any thread.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace talon {

template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}
  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }
  auto operator<=>(const Id&) const = default;

 private:
  std::string text_;
};

using SessionId = Id<struct SessionTag>;
using TurnId = Id<struct TurnTag>;
using EventId = Id<struct EventTag>;
using ArtifactId = Id<struct ArtifactTag>;
using OutboxId = Id<struct OutboxTag>;
using QuestionId = Id<struct QuestionTag>;

// Makes ids. Tests inject a deterministic source.
class IdSource {
 public:
  virtual ~IdSource() = default;
  // 26 characters, unique, sorting after every id made before by this source.
  virtual std::string Next() = 0;
};

// Random ids from the system's entropy, monotonic within the process. Thread-safe.
class RandomIdSource : public IdSource {
 public:
  std::string Next() override;
};

inline SessionId NewSessionId(IdSource& ids) {
  return SessionId("ses_" + ids.Next());
}
inline TurnId NewTurnId(IdSource& ids) {
  return TurnId("turn_" + ids.Next());
}
inline EventId NewEventId(IdSource& ids) {
  return EventId("evt_" + ids.Next());
}
inline ArtifactId NewArtifactId(IdSource& ids) {
  return ArtifactId("art_" + ids.Next());
}
inline OutboxId NewOutboxId(IdSource& ids) {
  return OutboxId("out_" + ids.Next());
}
inline QuestionId NewQuestionId(IdSource& ids) {
  return QuestionId("q_" + ids.Next());
}

}  // namespace talon

template <class Tag>
struct std::hash<talon::Id<Tag>> {
  std::size_t operator()(const talon::Id<Tag>& id) const noexcept {
    return std::hash<std::string>()(id.str());
  }
};
