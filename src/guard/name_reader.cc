// SPDX-License-Identifier: Apache-2.0
#include "guard/name_reader.h"

namespace talon::guard {
namespace {

constexpr std::string_view kTagNames[] = {
    "toolcall",       "toolcalls",       "tooluse",          "tooluses",          "toolresult",
    "toolresults",    "tooloutput",      "tooloutputs",      "toolresponse",      "toolresponses",
    "toolcode",       "functioncall",    "functioncalls",    "functionresult",    "functionresults",
    "functionoutput", "functionoutputs", "functionresponse", "functionresponses", "plugincall",
    "plugincalls",    "usemcptool",      "usetool",          "executetool",       "calltool",
    "availabletools"};
constexpr std::string_view kEnvelopeNames[] = {"pluginoutput", "agentmessage"};
constexpr std::string_view kTurnTags[] = {
    "startofturn", "endofturn",      "bos",          "eos",       "endoftext",
    "system",      "systemreminder", "systemprompt", "assistant", "think"};
constexpr std::string_view kOtherNames[] = {"invoke", "inst", "sys"};

template <std::size_t N>
bool BeginsOne(const std::string_view (&names)[N], std::string_view word) {
  return std::any_of(std::begin(names), std::end(names), [word](std::string_view name) {
    return !word.empty() && name[0] == word[0] && name.starts_with(word);
  });
}

}  // namespace

bool IsCallName(std::string_view word) {
  return In(kTagNames, word);
}

bool IsEnvelopeName(std::string_view word) {
  return std::any_of(std::begin(kEnvelopeNames), std::end(kEnvelopeNames),
                     [word](std::string_view name) { return word.starts_with(name); });
}

bool IsTurnName(std::string_view word) {
  return In(kTurnTags, word);
}

bool NameReader::Next() {
  Folded next = FoldAt(text_, at_);
  while (IsSeparator(next.c)) {
    if (size_ > 0 && next.c != kSkip) separated_ = true;
    if (++skipped_ > 2 * kMaxWord) return false;
    at_ += next.size;
    next = FoldAt(text_, at_);
  }
  const std::size_t before = size_;
  while (IsWord(next.c) || next.c == kSkip) {
    if (next.c != kSkip && size_ < kMaxWord) word_[size_++] = next.c;
    at_ += next.size;
    next = FoldAt(text_, at_);
  }
  // An XML namespace is not part of the name.
  if (next.c == ':' && !namespace_ && size_ > 0 && !IsCallName(word()) && !IsEnvelopeName(word()) &&
      IsLetter(FoldAt(text_, at_ + next.size).c)) {
    at_ += next.size;
    size_ = 0;
    namespace_ = true;
    return Next();
  }
  return size_ > before &&
         (BeginsOne(kTagNames, word()) || BeginsOne(kEnvelopeNames, word()) ||
          BeginsOne(kTurnTags, word()) || BeginsOne(kOtherNames, word()) || IsEnvelopeName(word()));
}

}  // namespace talon::guard
