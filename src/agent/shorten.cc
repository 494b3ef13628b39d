// SPDX-License-Identifier: Apache-2.0
#include "agent/shorten.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "agent/toolset.h"
#include "base/json.h"
#include "base/text.h"

namespace talon::agent {
namespace {

constexpr std::size_t kNotice = 160;        // bytes, about, of the words that say what is missing
constexpr std::size_t kLeastResult = 4000;  // bytes of a result or arguments, while texts are whole
constexpr std::size_t kLeast = 400;         // bytes of anything
constexpr int kMaxTries = 6;
constexpr double kTighter = 0.85;  // of the room, after a try that did not fit

struct Piece {
  std::size_t message = 0, part = 0;
  std::size_t bytes = 0;
  std::int64_t tokens = 0;
};

// What each may take at most, so that together they take no more than `room`.
std::int64_t FairShare(std::vector<std::int64_t> sizes, std::int64_t room) {
  std::ranges::sort(sizes);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::int64_t share = room / static_cast<std::int64_t>(sizes.size() - i);
    if (sizes[i] > share) return std::max<std::int64_t>(share, 0);
    room -= sizes[i];
  }
  return std::numeric_limits<std::int64_t>::max();
}

std::string Where(const std::string& handle, std::size_t offset) {
  if (handle.empty()) return "";
  return fmt::format("; read them with {}, handle {}, offset {}", kReadArtifactName, handle,
                     offset);
}

std::string CutMiddle(const std::string& text, std::size_t keep, const std::string& handle) {
  const std::string_view head = TruncateUtf8(text, keep / 2);
  std::string_view tail = std::string_view(text).substr(text.size() - keep / 2);
  while (!tail.empty() && (static_cast<unsigned char>(tail.front()) & 0xC0) == 0x80) {
    tail.remove_prefix(1);
  }
  return fmt::format("{}\n[… {} bytes left out{} …]\n{}", head,
                     text.size() - head.size() - tail.size(), Where(handle, head.size()), tail);
}

// Arguments stay an object, and one that is no example to follow.
std::string CutArguments(const std::string& text, std::size_t keep, const std::string& handle) {
  const std::string_view head = TruncateUtf8(text, keep);
  return DumpJson(
      {{"[cut]", fmt::format("the call had {} bytes of arguments; {} are left out{}", text.size(),
                             text.size() - head.size(), Where(handle, head.size()))},
       {"begins", head}});
}

class Shortener {
 public:
  Shortener(std::vector<Shortenable>& messages, const TokenCount& count, const KeepWhole& keep)
      : messages_(messages), count_(count), keep_(keep) {
    for (const Shortenable& message : messages_) total_ += message.tokens;
  }

  std::int64_t total() const { return total_; }

  void CutTexts(std::int64_t room, std::size_t least, bool all) {
    const std::vector<Piece> pieces = Pieces(all);
    std::int64_t fixed = total_;
    std::vector<std::int64_t> sizes;
    for (const Piece& piece : pieces) {
      fixed -= CountPart(*messages_[piece.message].message, piece.part);
      sizes.push_back(piece.tokens);
    }
    auto free = static_cast<double>(std::max<std::int64_t>(room - fixed, 0));
    for (int tried = 0; total_ > room && tried < kMaxTries; ++tried, free *= kTighter) {
      const std::int64_t share = FairShare(sizes, static_cast<std::int64_t>(free));
      for (const Piece& piece : pieces) {
        if (piece.tokens > share) Cut(piece, share, least);
      }
    }
  }

  void DropImages(std::int64_t room) {
    for (Shortenable& shortened : messages_) {
      for (model::Part& part : shortened.message->parts) {
        if (total_ <= room) return;
        if (!std::holds_alternative<model::ImagePart>(part)) continue;
        part = model::TextPart{"[an image was left out: there is no room for it]"};
        Recount(shortened);
      }
    }
  }

 private:
  std::vector<Piece> Pieces(bool all) const {
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      const model::Message& original = *messages_[i].original;
      for (std::size_t j = 0; j < original.parts.size(); ++j) {
        const std::string* text = TextOfPart(original.parts[j]);
        if (text == nullptr || text->size() <= kLeast + kNotice) continue;
        if (!all && std::holds_alternative<model::TextPart>(original.parts[j])) continue;
        pieces.push_back({i, j, text->size(), CountPart(original, j)});
      }
    }
    return pieces;
  }

  std::int64_t CountPart(const model::Message& message, std::size_t part) const {
    return count_({message.role, {message.parts[part]}, {}});
  }

  void Cut(const Piece& piece, std::int64_t share, std::size_t least) {
    const model::Message& original = *messages_[piece.message].original;
    model::Part& part = messages_[piece.message].message->parts[piece.part];
    const double bytes_per_token = static_cast<double>(piece.bytes) /
                                   static_cast<double>(std::max<std::int64_t>(piece.tokens, 1));
    const auto wanted = static_cast<std::size_t>(static_cast<double>(share) * bytes_per_token);
    const std::size_t keep = std::max(wanted > kNotice ? wanted - kNotice : 0, least);
    if (keep + kNotice >= piece.bytes) return;
    const std::string handle = keep_ ? keep_(original, piece.part) : "";
    const std::string& whole = *TextOfPart(original.parts[piece.part]);
    if (auto* result = std::get_if<model::ToolResult>(&part)) {
      // The envelope's last line stays, since the tail is kept.
      result->content = CutMiddle(whole, keep, handle);
    } else if (auto* text = std::get_if<model::TextPart>(&part)) {
      text->text = CutMiddle(whole, keep, handle);
    } else if (auto* call = std::get_if<model::ToolCall>(&part)) {
      call->arguments = CutArguments(whole, keep, handle);
    }
    Recount(messages_[piece.message]);
  }

  void Recount(Shortenable& message) {
    const std::int64_t now = count_(*message.message);
    total_ += now - message.tokens;
    message.tokens = now;
  }

  std::vector<Shortenable>& messages_;
  const TokenCount& count_;
  const KeepWhole& keep_;
  std::int64_t total_ = 0;
};

}  // namespace

const std::string* TextOfPart(const model::Part& part) {
  if (const auto* result = std::get_if<model::ToolResult>(&part)) return &result->content;
  if (const auto* text = std::get_if<model::TextPart>(&part)) return &text->text;
  if (const auto* call = std::get_if<model::ToolCall>(&part)) return &call->arguments;
  return nullptr;
}

std::int64_t Shorten(std::vector<Shortenable>& messages, std::int64_t room, const TokenCount& count,
                     const KeepWhole& keep) {
  Shortener shortener(messages, count, keep);
  shortener.CutTexts(room, kLeastResult, /*all=*/false);
  shortener.DropImages(room);
  shortener.CutTexts(room, kLeast, /*all=*/true);
  return shortener.total();
}

}  // namespace talon::agent
