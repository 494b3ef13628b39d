// SPDX-License-Identifier: Apache-2.0
#include "guard/sink_parts.h"

#include <algorithm>

#include "base/text.h"

namespace talon::guard {
namespace {

SinkPart Part(std::string what, std::string_view text, Edge edge) {
  return {.what = std::move(what), .text = std::string(text), .folded = Fold(text), .edge = edge};
}

struct Url {
  std::string_view scheme, user, host, port, path, query, fragment;
};

// Where the text has no scheme, the host begins it.
Url SplitUrl(std::string_view text) {
  Url url;
  if (const std::size_t at = text.find("://"); at != std::string_view::npos) {
    url.scheme = text.substr(0, at);
    text.remove_prefix(at + 3);
  }
  if (const std::size_t at = text.find('#'); at != std::string_view::npos) {
    url.fragment = text.substr(at + 1);
    text = text.substr(0, at);
  }
  if (const std::size_t at = text.find('?'); at != std::string_view::npos) {
    url.query = text.substr(at + 1);
    text = text.substr(0, at);
  }
  const std::size_t slash = text.find_first_of("/\\");
  std::string_view authority = text.substr(0, slash);
  url.path = slash == std::string_view::npos ? "" : text.substr(slash);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    url.user = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    url.port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  }
  url.host = authority;
  return url;
}

void AddPieces(std::string_view text, std::string_view separators, const std::string& what,
               std::vector<SinkPart>& parts) {
  while (!text.empty()) {
    const std::size_t end = text.find_first_of(separators);
    const std::string_view piece = text.substr(0, end);
    if (!piece.empty()) parts.push_back(Part(what, piece, Edge::kWord));
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
  }
}

std::string_view WithoutTrailing(std::string_view text, char c) {
  while (!text.empty() && text.back() == c) text.remove_suffix(1);
  return text;
}

SinkParts UrlParts(std::string_view value) {
  SinkParts result;
  value = TrimSpace(value);
  std::string_view plain = value;
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (ToLowerAscii(value.substr(0, scheme.size())) == scheme) plain.remove_prefix(scheme.size());
  }
  // A person need not write the scheme, nor the last '/'.
  result.whole = Part("url", WithoutTrailing(plain, '/'), Edge::kHost);
  const Url url = SplitUrl(value);
  result.parts.push_back(Part("host", url.host, Edge::kHost));
  // A port or another scheme than the web's is part of what was named, or it was not named.
  if (!url.port.empty() && url.port != "80" && url.port != "443") {
    result.parts.back() =
        Part("host", std::string(url.host) + ":" + std::string(url.port), Edge::kHost);
  }
  if (plain.size() == value.size() && !url.scheme.empty()) {
    result.parts.push_back(Part("scheme", url.scheme, Edge::kWord));
  }
  if (!url.user.empty()) result.parts.push_back(Part("credentials", url.user, Edge::kWord));
  AddPieces(url.path, "/\\", "path", result.parts);
  AddPieces(url.query, "&=;", "query", result.parts);
  if (!url.fragment.empty()) result.parts.push_back(Part("fragment", url.fragment, Edge::kWord));
  return result;
}

SinkParts RecipientParts(std::string_view value) {
  SinkParts result;
  value = TrimSpace(value);
  result.whole = Part("recipient", value, Edge::kAddress);
  if (value.find_first_of(",;") == std::string_view::npos) return result;
  while (!value.empty()) {
    const std::size_t end = value.find_first_of(",;");
    const std::string_view one = TrimSpace(value.substr(0, end));
    if (!one.empty()) result.parts.push_back(Part("recipient", one, Edge::kAddress));
    value = end == std::string_view::npos ? "" : value.substr(end + 1);
  }
  // Two of them side by side are not one that was named.
  result.whole.exact = false;
  return result;
}

SinkParts PathParts(std::string_view value, std::string_view workspace) {
  workspace = WithoutTrailing(workspace, '/');
  std::string_view path = value;
  if (!workspace.empty() && path.starts_with(workspace) &&
      (path.size() == workspace.size() || path[workspace.size()] == '/')) {
    path.remove_prefix(workspace.size());
    while (path.starts_with('/')) path.remove_prefix(1);
  }
  while (path.starts_with("./")) path.remove_prefix(2);
  if (path.size() > 1) path = WithoutTrailing(path, '/');
  return {.whole = Part("path", path, Edge::kPath), .spellings = {}, .parts = {}};
}

// "1234.5" also as "1,234.50", "1.234,50", "1 234,5" …
SinkParts NumberParts(std::string what, std::string_view value) {
  value = TrimSpace(value);
  SinkParts result{.whole = Part(what, value, Edge::kNumber), .spellings = {}, .parts = {}};
  const std::size_t sign = value.starts_with('-') ? 1 : 0;
  const std::size_t dot = std::min(value.find('.'), value.size());
  const std::string_view whole = value.substr(sign, dot - sign);
  const auto digits = [](std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  };
  std::string fraction(value.substr(std::min(dot + 1, value.size())));
  if (whole.empty() || !digits(whole) || !digits(fraction)) return result;
  fraction = WithoutTrailing(fraction, '0');
  for (const std::string_view group : {"", ",", ".", " ", "'"}) {
    std::string grouped;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      if (i > 0 && (whole.size() - i) % 3 == 0) grouped += group;
      grouped += whole[i];
    }
    for (const std::string_view point : {".", ","}) {
      if (point == group) continue;
      for (std::size_t places = fraction.size();
           places <= std::max<std::size_t>(fraction.size(), 2); ++places) {
        std::string padded = fraction + std::string(places - fraction.size(), '0');
        std::string spelling(value.substr(0, sign));
        spelling += grouped;
        if (!padded.empty()) spelling.append(point).append(padded);
        result.spellings.push_back(Part(what, spelling, Edge::kNumber));
      }
    }
  }
  return result;
}

SinkParts CommandParts(std::string_view value) {
  SinkParts result{
      .whole = Part("command", TrimSpace(value), Edge::kCommand), .spellings = {}, .parts = {}};
  // A shell reads line ends and escapes; what looks alike to a reader is another command to it.
  const bool plain = std::ranges::none_of(
      TrimSpace(value), [](char c) { return static_cast<unsigned char>(c) < ' '; });
  result.whole.exact = plain && result.whole.folded.size() == TrimSpace(value).size();
  return result;
}

}  // namespace

SinkParts TakeApart(SinkKind kind, std::string_view value, std::string_view workspace) {
  switch (kind) {
    case SinkKind::kUrl:
      return UrlParts(value);
    case SinkKind::kRecipient:
      return RecipientParts(value);
    case SinkKind::kPath:
      return PathParts(value, workspace);
    case SinkKind::kCommand:
      return CommandParts(value);
    case SinkKind::kAmount:
      return NumberParts("amount", value);
    case SinkKind::kValue:
      break;
  }
  return {.whole = Part("value", TrimSpace(value), Edge::kWord), .spellings = {}, .parts = {}};
}

std::string HostOf(std::string_view text) {
  const Url url = SplitUrl(TrimSpace(text));
  std::string host = ToLowerAscii(url.host);
  while (host.ends_with('.')) host.pop_back();
  if (host.empty()) return "";
  if (!url.port.empty() && url.port != "80" && url.port != "443")
    host += ":" + std::string(url.port);
  return host;
}

}  // namespace talon::guard
