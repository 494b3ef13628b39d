// SPDX-License-Identifier: Apache-2.0
// Reads a policy file. The one place of this room that knows YAML: its exceptions end here.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "guard/policy_names.h"
#include "guard/yaml_document.h"

namespace talon::guard {

std::optional<std::string_view> Embedded(std::string_view name);

namespace {

constexpr std::size_t kMaxFile = 1 << 20;
constexpr std::size_t kMaxRules = 1000;

// Takes a document apart and notes everything that is wrong with it.
class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}

  using Take = std::function<void(const YAML::Node& node, const std::string& path)>;
  using Keys = std::vector<std::pair<std::string_view, Take>>;

  void Object(const YAML::Node& node, const std::string& path, const Keys& keys) {
    if (!node.IsMap()) return Problem(node, path, "must be a mapping of keys to values");
    std::vector<std::string_view> names;
    for (const auto& [name, take] : keys) names.push_back(name);
    std::vector<std::string> seen;
    for (const auto& member : node) {
      const std::string key = member.first.IsScalar() ? member.first.Scalar() : "";
      const std::string inner = path.empty() ? key : path + "." + key;
      const auto found =
          std::ranges::find_if(keys, [&](const auto& each) { return each.first == key; });
      if (found == keys.end()) {
        const std::string_view nearest = Nearest(key, names);
        Problem(member.first, inner,
                nearest.empty() ? fmt::format("unknown key; known: {}", fmt::join(names, ", "))
                                : fmt::format("unknown key; did you mean '{}'?", nearest));
      } else if (std::ranges::find(seen, key) != seen.end()) {
        Problem(member.first, inner, "is there twice");
      } else {
        seen.push_back(key);
        found->second(member.second, inner);
      }
    }
  }

  void List(const YAML::Node& node, const std::string& path, const Take& take) {
    if (node.IsNull()) return;
    if (!node.IsSequence()) return Problem(node, path, "must be a list");
    for (std::size_t i = 0; i < node.size(); ++i) take(node[i], fmt::format("{}[{}]", path, i));
  }

  std::string Text(const YAML::Node& node, const std::string& path) {
    if (node.IsScalar() && !TrimSpace(node.Scalar()).empty()) return node.Scalar();
    Problem(node, path, "must be a text that is not empty");
    return "";
  }

  void Texts(const YAML::Node& node, const std::string& path, std::vector<std::string>& out) {
    List(node, path, [&](const YAML::Node& item, const std::string& at) {
      if (std::string text = Text(item, at); !text.empty()) out.push_back(std::move(text));
    });
  }

  bool Bool(const YAML::Node& node, const std::string& path) {
    bool value = false;
    if (node.IsScalar() && YAML::convert<bool>::decode(node, value)) return value;
    Problem(node, path, "must be true or false");
    return false;
  }

  template <class Names, class Enum>
  void Name(const Names& names, const YAML::Node& node, const std::string& path, Enum& out) {
    std::vector<std::string_view> known;
    const std::string text = node.IsScalar() ? node.Scalar() : "";
    for (const auto& [name, value] : names) {
      if (name == text) {
        out = value;
        return;
      }
      known.push_back(name);
    }
    Problem(node, path, fmt::format("'{}' is not one of {}", text, fmt::join(known, ", ")));
  }

  void Problem(const YAML::Node& node, const std::string& path, std::string_view text) {
    problems_.push_back(
        fmt::format("{}: {}{}{}", Place(node), path, path.empty() ? "" : ": ", text));
  }
  std::string Place(const YAML::Node& node) const {
    const YAML::Mark mark = node.Mark();
    return mark.is_null() ? file_ : fmt::format("{}:{}", file_, mark.line + 1);
  }
  absl::Status Status() const {
    if (problems_.empty()) return absl::OkStatus();
    return InvalidArgument(fmt::format("{}", fmt::join(problems_, "\n")));
  }

 private:
  const std::string file_;
  std::vector<std::string> problems_;
};

void ReadEffects(Reader& reader, const YAML::Node& node, const std::string& path,
                 std::vector<tool::EffectClass>& out) {
  reader.List(node, path, [&](const YAML::Node& item, const std::string& at) {
    const auto effect = tool::ParseEffectClass(reader.Text(item, at));
    if (!effect.ok()) return reader.Problem(item, at, Message(effect.status()));
    out.push_back(*effect);
  });
}

// "none" stands for a call without sink arguments.
void ReadSinks(Reader& reader, const YAML::Node& node, const std::string& path, PolicyRule& rule) {
  rule.no_sink = false;
  reader.List(node, path, [&](const YAML::Node& item, const std::string& at) {
    if (item.IsScalar() && item.Scalar() == "none") {
      rule.no_sink = true;
      return;
    }
    SinkKind kind = SinkKind::kValue;
    reader.Name(kSinkNames, item, at, kind);
    rule.sinks.push_back(kind);
  });
}

PolicyRule ReadRule(Reader& reader, const YAML::Node& node, const std::string& path) {
  PolicyRule rule;
  rule.at = reader.Place(node);
  rule.name = path;
  rule.no_sink = true;  // unless it names its sinks
  using N = const YAML::Node&;
  using P = const std::string&;
  reader.Object(node, path,
                {{"name", [&](N n, P p) { rule.name = reader.Text(n, p); }},
                 {"tools", [&](N n, P p) { reader.Texts(n, p, rule.tools); }},
                 {"effects", [&](N n, P p) { ReadEffects(reader, n, p, rule.effects); }},
                 {"sinks", [&](N n, P p) { ReadSinks(reader, n, p, rule); }},
                 {"read_only", [&](N n, P p) { rule.read_only = reader.Bool(n, p); }},
                 {"clean", [&](N n, P p) { reader.Name(kAnswerNames, n, p, rule.clean); }},
                 {"from",
                  [&](N n, P p) {
                    reader.List(n, p, [&](N item, P at) {
                      Source source = Source::kUser;
                      reader.Name(kSourceNames, item, at, source);
                      rule.from.push_back(source);
                    });
                  }},
                 {"asked_for", [&](N n, P p) { rule.asked_for = reader.Bool(n, p); }},
                 {"otherwise", [&](N n, P p) { reader.Name(kAnswerNames, n, p, rule.otherwise); }},
                 {"factor", [&](N n, P p) {
                    reader.Name(kFactorNames, n, p, rule.factor);
                    if (rule.factor == Factor::kNone)
                      reader.Problem(n, p, "an approval needs click or code");
                  }}});
  return rule;
}

void ReadAsks(Reader& reader, const YAML::Node& node, const std::string& path, Policy& policy) {
  Reader::Keys keys;
  for (const tool::EffectClass effect :
       {tool::EffectClass::kRead, tool::EffectClass::kWrite, tool::EffectClass::kSend,
        tool::EffectClass::kExec, tool::EffectClass::kSpend, tool::EffectClass::kAdmin}) {
    keys.emplace_back(tool::EffectClassName(effect),
                      [&reader, &policy, effect](const YAML::Node& n, const std::string& p) {
                        std::vector<std::string> words;
                        reader.Texts(n, p, words);
                        for (const std::string& word : words) {
                          policy.asks[effect].push_back(ToLowerAscii(word));
                        }
                      });
  }
  reader.Object(node, path, keys);
}

void ReadArguments(Reader& reader, const YAML::Node& node, const std::string& path,
                   Policy& policy) {
  Reader::Keys keys;
  for (const auto& [name, kind] : kSinkNames) {
    keys.emplace_back(name, [&reader, &policy, kind](const YAML::Node& n, const std::string& p) {
      std::vector<std::string> names;
      reader.Texts(n, p, names);
      for (const std::string& argument : names) policy.arguments[ToLowerAscii(argument)] = kind;
    });
  }
  reader.Object(node, path, keys);
}

// Reads `root` over `policy`: its rules before those that are there.
void ReadPolicy(Reader& reader, const YAML::Node& root, Policy& policy) {
  std::vector<PolicyRule> rules;
  bool defaults = true;
  PolicyLists& lists = policy.lists;
  using N = const YAML::Node&;
  using P = const std::string&;
  reader.Object(
      root, "",
      {{"defaults", [&](N n, P p) { defaults = reader.Bool(n, p); }},
       {"rules",
        [&](N n, P p) {
          reader.List(n, p, [&](N item, P at) { rules.push_back(ReadRule(reader, item, at)); });
          if (rules.size() > kMaxRules) {
            reader.Problem(n, p, fmt::format("more than {} rules", kMaxRules));
          }
        }},
       {"lists",
        [&](N n, P p) {
          reader.Object(n, p,
                        {{"hosts", [&](N m, P q) { reader.Texts(m, q, lists.hosts); }},
                         {"recipients", [&](N m, P q) { reader.Texts(m, q, lists.recipients); }},
                         {"paths", [&](N m, P q) { reader.Texts(m, q, lists.paths); }},
                         {"commands", [&](N m, P q) { reader.Texts(m, q, lists.commands); }}});
        }},
       {"trusted_tools", [&](N n, P p) { reader.Texts(n, p, policy.trusted_tools); }},
       {"asks", [&](N n, P p) { ReadAsks(reader, n, p, policy); }},
       {"arguments", [&](N n, P p) { ReadArguments(reader, n, p, policy); }}});
  if (!defaults) policy.rules.clear();
  policy.rules.insert(policy.rules.begin(), std::make_move_iterator(rules.begin()),
                      std::make_move_iterator(rules.end()));
}

absl::StatusOr<Policy> ReadOver(Policy policy, std::string_view text, std::string_view file) {
  Reader reader(file);
  try {
    const std::string owned(text);
    if (const auto line = SecondDocument(owned)) {
      return InvalidArgument(
          fmt::format("{}:{}: a second document begins here; one file is one", file, *line));
    }
    const YAML::Node root = YAML::Load(owned);
    if (!root.IsNull()) ReadPolicy(reader, root, policy);
  } catch (const YAML::Exception& error) {
    return InvalidArgument(fmt::format("{}:{}: {}", file, error.mark.line + 1, error.msg));
  }
  TALON_RETURN_IF_ERROR(reader.Status());
  return policy;
}

}  // namespace

const std::string& DefaultPolicyText() {
  static const std::string text(Embedded("policy.yaml").value_or(""));
  return text;
}

std::shared_ptr<const Policy> DefaultPolicy() {
  static const std::shared_ptr<const Policy> policy = [] {
    auto read = ReadOver({}, DefaultPolicyText(), "policy.yaml (built in)");
    TALON_CHECK(read.ok());
    return std::make_shared<const Policy>(*std::move(read));
  }();
  return policy;
}

absl::StatusOr<std::shared_ptr<const Policy>> ParsePolicy(std::string_view text,
                                                          std::string_view file) {
  TALON_ASSIGN_OR_RETURN(Policy policy, ReadOver(*DefaultPolicy(), text, file));
  return std::make_shared<const Policy>(std::move(policy));
}

absl::StatusOr<std::shared_ptr<const Policy>> LoadPolicy(const std::string& path) {
  TALON_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFile));
  return ParsePolicy(text, path);
}

}  // namespace talon::guard
