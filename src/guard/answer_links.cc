// SPDX-License-Identifier: Apache-2.0
#include "guard/answer_links.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "guard/glob.h"
#include "guard/sink_parts.h"

namespace talon::guard {
namespace {

constexpr std::size_t kMaxHeld = 8192;  // a longer run is taken in pieces
constexpr std::size_t kNowhere = std::string_view::npos;

bool IsBreak(char c) {
  return static_cast<unsigned char>(c) <= ' ';
}
bool IsName(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || byte >= 0x80;
}

// Schemes that a renderer follows by itself or at a click, with what may stand for their ':'.
constexpr std::array<std::string_view, 6> kSchemes = {"https", "http", "ftp", "wss", "ws", "file"};
constexpr std::array<std::string_view, 4> kColons = {":", "&colon;", "&#58;", "&#x3a;"};

bool BeginsWithScheme(std::string_view lower, std::size_t at) {
  if (at > 0 && IsName(lower[at - 1])) return false;
  return std::ranges::any_of(kSchemes, [&](std::string_view scheme) {
    const std::string_view rest = lower.substr(at);
    return rest.starts_with(scheme) && std::ranges::any_of(kColons, [&](std::string_view colon) {
             return rest.substr(scheme.size()).starts_with(colon);
           });
  });
}

// "//host" and its spellings, where an address may begin: behind what opens one.
bool BeginsWithSlashes(std::string_view lower, std::size_t at, bool awaited) {
  const auto slash = [&](std::size_t i) {
    return i < lower.size() && (lower[i] == '/' || lower[i] == '\\');
  };
  if (!slash(at) || !slash(at + 1) || at + 2 >= lower.size() || !IsName(lower[at + 2])) {
    return false;
  }
  return at == 0 ? awaited : std::string_view("(\"'=<[").find(lower[at - 1]) != kNowhere;
}

// "name.example/path?query" and "www.": programs that show chats make links of them.
bool BeginsWithBareHost(std::string_view lower, std::size_t at) {
  if (at > 0 && (IsName(lower[at - 1]) || lower[at - 1] == '.' || lower[at - 1] == '-' ||
                 lower[at - 1] == '/' || lower[at - 1] == '@')) {
    return false;
  }
  const std::string_view rest = lower.substr(at);
  if (rest.starts_with("www.")) return true;
  const std::size_t end =
      std::ranges::find_if(rest, [](char c) { return !IsName(c) && c != '.' && c != '-'; }) -
      rest.begin();
  if (end == rest.size() || rest[end] != '/' || rest.substr(0, end).find('.') == kNowhere) {
    return false;
  }
  return rest.find('?', end) != kNowhere;
}

// `awaited`: one may begin the text.
std::size_t FindAddress(std::string_view lower, std::size_t from, bool awaited) {
  for (std::size_t at = from; at < lower.size(); ++at) {
    const char c = lower[at];
    if (c == '/' || c == '\\') {
      if (BeginsWithSlashes(lower, at, awaited)) return at;
    } else if (IsName(c) && (at == 0 || !IsName(lower[at - 1]))) {
      if (BeginsWithScheme(lower, at) || BeginsWithBareHost(lower, at)) return at;
    }
  }
  return kNowhere;
}

// Where the address ends: brackets that it did not open are around it, and what ends a sentence is
// not of it.
std::size_t AddressEnd(std::string_view run, std::size_t at) {
  int round = 0, square = 0;
  std::size_t end = at;
  for (; end < run.size(); ++end) {
    const char c = run[end];
    if (std::string_view("<>\"`").find(c) != kNowhere) break;
    if (c == '(') ++round;
    if (c == '[') ++square;
    if ((c == ')' && --round < 0) || (c == ']' && --square < 0)) break;
  }
  while (end > at && std::string_view(".,;:!?'*_").find(run[end - 1]) != kNowhere) --end;
  return end;
}

// As a browser reads it.
std::string Plain(std::string_view address) {
  std::string out(address);
  for (const auto& [written, meant] :
       {std::pair("&colon;", ":"), std::pair("&#58;", ":"), std::pair("&#x3a;", ":"),
        std::pair("&#x3A;", ":"), std::pair("&sol;", "/"), std::pair("&#47;", "/"),
        std::pair("&amp;", "&")}) {
    for (std::size_t i = out.find(written); i != kNowhere; i = out.find(written, i)) {
      out.replace(i, std::string_view(written).size(), meant);
    }
  }
  std::ranges::replace(out, '\\', '/');
  // "https:host", "https:/host", "https:///host"
  const std::size_t colon = out.find(':');
  const bool scheme = colon != kNowhere && BeginsWithScheme(ToLowerAscii(out), 0);
  const std::size_t slashes = scheme ? colon + 1 : 0;
  std::size_t host = slashes;
  while (host < out.size() && out[host] == '/') ++host;
  if (scheme || host > 0) out.replace(slashes, host - slashes, "//");
  return out;
}

std::string Harmless(std::string_view plain) {
  const std::size_t colon = plain.find("://");
  std::string shown(colon == kNowhere ? "" : plain.substr(0, colon + 1));
  if (ToLowerAscii(shown).starts_with("http")) shown.replace(1, 2, "xx");
  const bool slashes = colon != kNowhere || plain.starts_with("//");
  std::string host = HostOf(plain.starts_with("//") ? plain.substr(2) : plain);
  for (std::size_t i = host.find('.'); i != kNowhere; i = host.find('.', i + 3)) {
    host.replace(i, 1, "[.]");
  }
  return fmt::format("{}{}{}/…", shown, slashes ? "//" : "", host);
}

enum class Leads { kNowhere, kHere, kOutside };

// A scheme alone leads nowhere.
Leads WhereTo(std::string_view plain) {
  const bool slashes = plain.find("//") != kNowhere;
  const std::string host = HostOf(plain.starts_with("//") ? plain.substr(2) : plain);
  const std::string_view name = std::string_view(host).substr(0, host.rfind(':'));
  if (name == "localhost" || name == "127.0.0.1" || host.starts_with("[::1]")) return Leads::kHere;
  const bool somewhere = slashes ? !host.empty() : host.find('.') != kNowhere;
  return somewhere ? Leads::kOutside : Leads::kNowhere;
}

}  // namespace

bool AnswerLinks::Stays(std::string_view url, bool image) const {
  const std::string lower = ToLowerAscii(url);
  const Leads leads = WhereTo(lower);
  // This machine is nobody else, but its programs may take a fetched address for an order.
  if (leads == Leads::kNowhere || (leads == Leads::kHere && !image)) return true;
  const bool web = lower.starts_with("https://") || lower.starts_with("http://");
  if (web && lower.find('@') == kNowhere && AnyGlobMatches(policy_->lists.hosts, HostOf(lower))) {
    return true;
  }
  const SinkPart whole = TakeApart(SinkKind::kUrl, url, "").whole;
  for (const Voice voice : {Voice::kPerson, Voice::kOperator, Voice::kTrusted}) {
    if (provenance_().Said(voice, whole.folded, whole.edge)) return true;
  }
  return !image && provenance_().Said(Voice::kUntrusted, whole.folded, whole.edge) &&
         !provenance_().Said(Voice::kCall, whole.folded, whole.edge);
}

bool AnswerLinks::Fetched(std::string_view before) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] == '[') image_ = i > 0 && before[i - 1] == '!';
  }
  const bool awaited = std::exchange(awaited_, false);
  const auto ends = [&](std::string_view with) { return before.ends_with(with); };
  if (ends("](") || ends("](<")) return std::exchange(image_, false);
  if ((awaited && before.empty()) || ends("]:") || ends("url(")) return true;
  // Attributes: all but a link's.
  const std::size_t equals = before.find_last_not_of("\"'");
  if (equals == kNowhere || before[equals] != '=') return false;
  return !ToLowerAscii(before.substr(0, equals)).ends_with("href");
}

std::string AnswerLinks::CleanRun(std::string_view run) {
  const std::string lower = ToLowerAscii(run);
  std::string out;
  std::size_t done = 0;
  for (std::size_t at = FindAddress(lower, 0, awaited_); at != kNowhere;
       at = FindAddress(lower, done, false)) {
    const std::size_t end = std::max(AddressEnd(run, at), at + 1);
    const std::string plain = Plain(run.substr(at, end - at));
    const bool fetched = Fetched(run.substr(done, at - done));
    out += run.substr(done, at - done);
    if (Stays(plain, fetched)) {
      out += run.substr(at, end - at);
    } else {
      out += Harmless(plain);
      ++defused_;
    }
    done = end;
  }
  // An address may follow behind spaces.
  awaited_ = Fetched(run.substr(done));
  return out.append(run.substr(done));
}

std::string AnswerLinks::Clean(std::string_view text) {
  std::string out = Next(text);
  return out.append(End());
}

std::string AnswerLinks::Next(std::string_view piece) {
  std::string out;
  for (std::size_t at = 0; at < piece.size();) {
    std::size_t end = at;
    const bool space = IsBreak(piece[at]);
    while (end < piece.size() && IsBreak(piece[end]) == space) ++end;
    const std::string_view run = piece.substr(at, end - at);
    if (space) {
      out += End();
      out += run;
    } else {
      held_ += run;
      if (held_.size() > kMaxHeld) out += End();
    }
    at = end;
  }
  return out;
}

std::string AnswerLinks::End() {
  if (held_.empty()) return "";
  const std::string run = std::exchange(held_, {});
  return CleanRun(run);
}

}  // namespace talon::guard
