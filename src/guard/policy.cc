// SPDX-License-Identifier: Apache-2.0
#include "guard/policy.h"

#include <fmt/format.h>

#include "base/status.h"
#include "base/text.h"
#include "guard/glob.h"
#include "guard/policy_names.h"

namespace talon::guard {
namespace {

template <class Names, class Enum>
std::string_view NameIn(const Names& names, Enum value) {
  for (const auto& [name, each] : names) {
    if (each == value) return name;
  }
  return "";
}

}  // namespace

std::string_view SinkKindName(SinkKind kind) {
  return NameIn(kSinkNames, kind);
}
std::string_view SourceName(Source source) {
  return NameIn(kSourceNames, source);
}
std::string_view AnswerName(Answer answer) {
  return NameIn(kAnswerNames, answer);
}
std::string_view FactorName(Factor factor) {
  return NameIn(kFactorNames, factor);
}

absl::StatusOr<Factor> ParseFactor(std::string_view name) {
  for (const auto& [each, factor] : kFactorNames) {
    if (each == name) return factor;
  }
  return InvalidArgument(fmt::format("'{}' is not one of none, click, code", name));
}

SinkKind Policy::KindOf(std::string_view argument) const {
  const auto found = arguments.find(ToLowerAscii(argument));
  return found == arguments.end() ? SinkKind::kValue : found->second;
}

bool Policy::Trusts(std::string_view tool) const {
  return AnyGlobMatches(trusted_tools, tool);
}

}  // namespace talon::guard
