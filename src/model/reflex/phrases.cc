// SPDX-License-Identifier: Apache-2.0
#include "model/reflex/phrases.h"

#include <algorithm>

#include "base/text.h"

namespace talon::model::reflex {
namespace {

// One of `openings` off the beginning of `text`.
bool TakeOff(std::string_view& text, std::initializer_list<std::string_view> openings) {
  for (const std::string_view opening : openings) {
    if (EqualsIgnoreCase(text.substr(0, opening.size()), opening)) {
      text = TrimSpace(text.substr(opening.size()));
      return true;
    }
  }
  return false;
}

}  // namespace

bool In(std::initializer_list<std::string_view> list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool LeadsToPath(const Words& words, bool required) {
  const std::string& last = words.back();
  if (In({"in", "under", "inside", "within", "folder", "directory", "file"}, last)) return true;
  if (required) return In({"from", "of", "to", "into", "at"}, last);
  return last == "of" && words.size() > 1 &&
         In({"content", "contents", "files", "folder"}, words[words.size() - 2]);
}

std::string_view CommandOf(std::string_view text) {
  while (TakeOff(text, {":", "the command ", "command ", "this command ", "this:"})) {
  }
  std::string_view rest = text;
  return TakeOff(rest, {"the ", "a ", "an ", "my ", "our ", "all ", "some ", "some of "}) ? ""
                                                                                          : text;
}

std::string_view FreeTextOf(std::string_view text) {
  const std::string lower = ToLowerAscii(text);
  for (const std::string_view opening : {"with the text ", "with text ", "with the content ",
                                         "with content ", "containing ", "that says ", "saying "}) {
    if (const std::size_t at = lower.find(opening); at != std::string::npos) {
      return TrimSpace(text.substr(at + opening.size()));
    }
  }
  std::string_view rest = text;
  if (TakeOff(rest, {"a file", "file ", "the file", "a new file", "new file", "into "})) return "";
  while (TakeOff(text, {"for ", "about ", "the text ", "the word ", "text ", ": ", "files with ",
                        "all files with ", "lines with ", "all lines with "})) {
  }
  while (!text.empty() && (text.back() == '?' || text.back() == ':')) text.remove_suffix(1);
  return TrimSpace(text);
}

bool IsReference(std::string_view text) {
  return In({"it", "that", "this", "them", "the result", "the output", "the answer", "result",
             "the content", "the contents", "its content", "its contents"},
            ToLowerAscii(text));
}

void BlankPart(std::string& text, std::size_t begin, std::size_t end) {
  std::string_view before = TrimSpace(std::string_view(text).substr(0, begin));
  for (const std::string_view link : {"to", "into", "in", "from", "at", "with", "of"}) {
    if (before == link || (before.ends_with(link) && before.size() > link.size() &&
                           before[before.size() - link.size() - 1] == ' ')) {
      begin = before.data() + before.size() - link.size() - text.data();
      break;
    }
  }
  std::fill(text.begin() + static_cast<long>(begin), text.begin() + static_cast<long>(end), ' ');
}

}  // namespace talon::model::reflex
