// SPDX-License-Identifier: Apache-2.0
#include "guard/effect_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "guard/glob.h"
#include "guard/guard.h"
#include "guard/sink_parts.h"

namespace talon::guard {
namespace {

constexpr std::size_t kMaxLeaves = 256;  // of one call; more are not looked at, and asked
constexpr std::size_t kShownValue = 200;
constexpr std::size_t kNamedItems = 3;
constexpr std::size_t kShortestTold = 3;  // bytes of a piece; a shorter one stands in any text

std::string Excerpt(std::string_view text) {
  const std::string_view cut = TruncateUtf8(text, kShownValue);
  return SanitizeUntrusted(RepairUtf8(cut), nullptr) + (cut.size() < text.size() ? "…" : "");
}

template <class T>
bool Has(const std::vector<T>& list, const T& value) {
  return std::ranges::find(list, value) != list.end();
}

struct Leaf {
  std::string name;  // "to[0]"
  SinkKind kind = SinkKind::kValue;
  std::string value;
};

// "." and "" lead nowhere else.
bool SaysNothing(const Leaf& leaf) {
  const std::string_view value = TrimSpace(leaf.value);
  return value.empty() || (leaf.kind == SinkKind::kPath && (value == "." || value == "./"));
}

class Check {
 public:
  explicit Check(const Circumstances& around) : around_(around) {}

  Judgement Judge(const Json& arguments) {
    Judgement judgement;
    judgement.clean = around_.context.integrity != Integrity::kUntrusted;
    std::vector<Leaf> leaves;
    for (const std::string& name : around_.spec.sink_arguments) {
      if (const Json* value = JsonFind(arguments, name)) {
        Gather(*value, name, around_.policy.KindOf(name), leaves);
      }
    }
    for (const Leaf& leaf : leaves) judgement.findings.push_back(JudgeLeaf(leaf, judgement.clean));
    if (leaves.empty()) judgement.findings.push_back(JudgeWithoutSink(judgement.clean));
    if (leaves.size() >= kMaxLeaves) {
      judgement.findings.push_back(
          {.rule = "no call has so many values",
           .why = fmt::format("more than {} values say where it goes", kMaxLeaves)});
    }
    for (const SinkFinding& finding : judgement.findings) {
      if (finding.answer > judgement.answer) {
        judgement.answer = finding.answer;
        judgement.reason = finding.why;
      }
      if (finding.answer != Answer::kAllow) {
        judgement.factor = std::max(judgement.factor, finding.factor);
      }
    }
    if (judgement.answer != Answer::kAllow && !judgement.clean) {
      for (const Item* item : Known().FromOutside(kNamedItems)) {
        judgement.outside.push_back(item->name);
      }
    }
    return judgement;
  }

 private:
  void Gather(const Json& value, const std::string& name, SinkKind kind,
              std::vector<Leaf>& leaves) const {
    if (leaves.size() >= kMaxLeaves) return;
    if (value.is_string() || value.is_number()) {
      Leaf leaf{name, kind, value.is_string() ? value.get<std::string>() : DumpJson(value)};
      if (!SaysNothing(leaf)) leaves.push_back(std::move(leaf));
    } else if (value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        Gather(value[i], fmt::format("{}[{}]", name, i), kind, leaves);
      }
    } else if (value.is_object()) {
      for (const auto& [key, inner] : value.items()) {
        const SinkKind own = around_.policy.KindOf(key);
        Gather(inner, name + "." + key, own == SinkKind::kValue ? kind : own, leaves);
      }
    }
  }

  const PolicyRule* RuleFor(const SinkKind* kind) const {
    const tool::ToolSpec& spec = around_.spec;
    for (const PolicyRule& rule : around_.policy.rules) {
      if (!rule.tools.empty() && !AnyGlobMatches(rule.tools, spec.name)) continue;
      if (!rule.effects.empty() && !Has(rule.effects, spec.effect)) continue;
      if (rule.read_only && *rule.read_only != spec.read_only) continue;
      if (kind == nullptr ? !rule.no_sink : !rule.sinks.empty() && !Has(rule.sinks, *kind))
        continue;
      return &rule;
    }
    return nullptr;
  }

  bool TurnAsks() const {
    if (Known().TurnNames(around_.spec.name)) return true;
    const auto words = around_.policy.asks.find(around_.spec.effect);
    return words != around_.policy.asks.end() && Known().TurnSays(words->second);
  }

  std::string NotAskedFor() const {
    return fmt::format("the user's words in this turn do not ask for '{}' (effect {})",
                       around_.spec.name, tool::EffectClassName(around_.spec.effect));
  }

  // What the rule says before a value is looked at; false when the value decides.
  bool Begin(const PolicyRule* rule, bool clean, SinkFinding& finding) const {
    if (rule == nullptr) {
      finding.rule = "what no rule fits is asked";
      finding.why = "no rule of the policy fits this call";
      return true;
    }
    finding.rule = rule->name;
    finding.rule_at = rule->at;
    finding.factor = rule->factor;
    if (!clean) return false;
    finding.answer = rule->clean;
    if (rule->clean != Answer::kAllow) finding.why = fmt::format("policy: {}", rule->name);
    return true;
  }

  SinkFinding JudgeWithoutSink(bool clean) const {
    SinkFinding finding;
    const PolicyRule* rule = RuleFor(nullptr);
    if (Begin(rule, clean, finding)) return finding;
    if (rule->asked_for && TurnAsks()) {
      finding.answer = Answer::kAllow;
      return finding;
    }
    finding.answer = rule->otherwise;
    if (finding.answer != Answer::kAllow) {
      finding.why = rule->asked_for ? NotAskedFor() : fmt::format("policy: {}", rule->name);
    }
    return finding;
  }

  SinkFinding JudgeLeaf(const Leaf& leaf, bool clean) const {
    SinkFinding finding;
    finding.argument = leaf.name;
    finding.kind = leaf.kind;
    finding.value = Excerpt(leaf.value);
    const PolicyRule* rule = RuleFor(&leaf.kind);
    if (Begin(rule, clean, finding) && finding.answer == Answer::kAllow) return finding;
    if (!clean && rule != nullptr && rule->from.empty() && rule->otherwise == Answer::kAllow) {
      finding.answer = Answer::kAllow;
      return finding;
    }
    finding.parts = Trace(leaf, rule);
    if (clean || rule == nullptr) return finding;
    const auto stray = std::ranges::find_if(
        finding.parts, [&](const PartFinding& part) { return !Has(rule->from, part.source); });
    const bool listed = std::ranges::all_of(
        finding.parts, [](const PartFinding& part) { return part.source == Source::kList; });
    if (stray == finding.parts.end() && (!rule->asked_for || listed || TurnAsks())) {
      finding.answer = Answer::kAllow;
      return finding;
    }
    finding.answer = rule->otherwise;
    finding.why = stray == finding.parts.end() ? NotAskedFor() : Why(finding, *stray);
    return finding;
  }

  static std::string Why(const SinkFinding& finding, const PartFinding& part) {
    std::string text = fmt::format("{} '{}'", finding.argument, finding.value);
    if (part.text != finding.value) text += fmt::format(": its {} '{}'", part.what, part.text);
    if (!part.found_in.empty()) {
      return text + fmt::format(" comes from {}", fmt::join(part.found_in, ", "));
    }
    return text + " is in nothing the user said";
  }

  // The whole when the rule takes it, else its parts.
  std::vector<PartFinding> Trace(const Leaf& leaf, const PolicyRule* rule) const {
    const SinkParts parts = TakeApart(leaf.kind, leaf.value, around_.workspace);
    PartFinding whole = Look(parts.whole, leaf);
    for (std::size_t i = 0; i < parts.spellings.size() && !Vouched(whole.source); ++i) {
      PartFinding other = Look(parts.spellings[i], leaf);
      if (Vouched(other.source)) whole = std::move(other);
    }
    const bool taken = rule != nullptr && Has(rule->from, whole.source);
    if (parts.parts.empty() || taken) return {std::move(whole)};
    std::vector<PartFinding> list;
    for (const SinkPart& part : parts.parts) list.push_back(Look(part, leaf));
    return list;
  }

  static bool Vouched(Source source) {
    return source != Source::kModel && source != Source::kUntrusted;
  }

  PartFinding Look(const SinkPart& part, const Leaf& leaf) const {
    PartFinding finding{.what = part.what, .text = Excerpt(part.text), .found_in = {}};
    const Provenance& said = Known();
    const auto named = said.Find(part.folded, part.edge, kNamedItems);
    for (const Item* item : named) finding.found_in.push_back(item->name);
    if (Listed(part, leaf)) {
      finding.source = Source::kList;
    } else if (part.exact && said.Said(Voice::kPerson, part.folded, part.edge)) {
      finding.source = Source::kUser;
    } else if (part.exact && said.Said(Voice::kOperator, part.folded, part.edge)) {
      finding.source = Source::kOperator;
    } else if (part.exact && said.Said(Voice::kTrusted, part.folded, part.edge)) {
      finding.source = Source::kTrusted;
    } else if (leaf.kind == SinkKind::kPath && InNamedFolder(part.folded)) {
      finding.source = Source::kFolder;
    } else if (std::ranges::any_of(
                   named, [](const Item* item) { return item->voice == Voice::kUntrusted; })) {
      finding.source = Source::kUntrusted;
    }
    // Only what is told: the source, by which the policy decides, stays.
    if (!Vouched(finding.source) && part.folded.size() < kShortestTold) finding.found_in.clear();
    return finding;
  }

  bool Listed(const SinkPart& part, const Leaf& leaf) const {
    const PolicyLists& lists = around_.policy.lists;
    switch (leaf.kind) {
      case SinkKind::kUrl: {
        if (part.what != "url" || leaf.value.find_first_of("@\\") != std::string::npos)
          return false;
        const std::string lower = ToLowerAscii(TrimSpace(leaf.value));
        return (lower.starts_with("https://") || lower.starts_with("http://")) &&
               AnyGlobMatches(lists.hosts, HostOf(lower));
      }
      case SinkKind::kRecipient:
        return part.exact && AnyGlobMatches(lists.recipients, part.folded);
      case SinkKind::kPath:
        return !LeavesFolder(part.text) && AnyGlobMatches(lists.paths, part.text);
      case SinkKind::kCommand:
        return Has(lists.commands, part.text);
      default:
        return false;
    }
  }

  // Up and out of a folder, or into something that programs obey.
  static bool LeavesFolder(std::string_view path) {
    return path.find("..") != std::string_view::npos || path.starts_with('.') ||
           path.find("/.") != std::string_view::npos || path.find('\\') != std::string_view::npos;
  }

  bool InNamedFolder(std::string_view path) const {
    if (LeavesFolder(path)) return false;
    for (std::size_t at = path.rfind('/'); at != std::string_view::npos && at > 0;
         at = path.rfind('/', at - 1)) {
      if (Known().Said(Voice::kPerson, path.substr(0, at), Edge::kFolder)) return true;
    }
    return false;
  }

  // Taken in once, and only where something depends on it.
  const Provenance& Known() const {
    if (known_ == nullptr) known_ = &around_.provenance();
    return *known_;
  }

  const Circumstances& around_;
  mutable const Provenance* known_ = nullptr;
};

}  // namespace

Judgement JudgeCall(const Circumstances& circumstances, const Json& arguments) {
  return Check(circumstances).Judge(arguments);
}

Json JudgementJson(const Judgement& judgement) {
  Json json = {{"answer", AnswerName(judgement.answer)},
               {"factor", FactorName(judgement.factor)},
               {"context", judgement.clean ? "clean" : "untrusted"},
               {"reason", judgement.reason},
               {"outside", judgement.outside},
               {"sinks", Json::array()}};
  for (const SinkFinding& finding : judgement.findings) {
    Json sink = {{"answer", AnswerName(finding.answer)},
                 {"rule", finding.rule},
                 {"rule_at", finding.rule_at}};
    if (!finding.argument.empty()) {
      sink["argument"] = finding.argument;
      sink["kind"] = SinkKindName(finding.kind);
      sink["value"] = finding.value;
    }
    if (!finding.why.empty()) sink["why"] = finding.why;
    for (const PartFinding& part : finding.parts) {
      sink["parts"].push_back({{"what", part.what},
                               {"text", part.text},
                               {"source", SourceName(part.source)},
                               {"found_in", part.found_in}});
    }
    json["sinks"].push_back(std::move(sink));
  }
  return json;
}

}  // namespace talon::guard
