// SPDX-License-Identifier: Apache-2.0
#include "model/reflex/extract.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "model/reflex/entities.h"
#include "model/reflex/phrases.h"
#include "model/reflex/texts.h"

namespace talon::model::reflex {
namespace {

class Extractor {
 public:
  Extractor(const std::vector<Parameter>& parameters, std::string_view head, std::string_view rest)
      : parameters_(parameters), head_(head), rest_(rest), entities_(FindEntities(rest)) {
    used_.resize(entities_.size());
  }

  Extracted Run() {
    TakeJson();
    TakePairs();
    for (const Parameter& parameter : parameters_) TakeNamed(parameter);
    for (const Parameter& parameter : parameters_) TakeTyped(parameter);
    TakeBarePath();
    TakeQuoted();
    TakeRest();
    Extracted extracted;
    for (const Parameter& parameter : parameters_) {
      const Json* value = JsonFind(arguments_, parameter.name);
      if (value == nullptr && parameter.required) extracted.missing.push_back(parameter.name);
    }
    for (std::size_t i = 0; i < entities_.size(); ++i) {
      const EntityKind kind = entities_[i].kind;
      if (!used_[i] && kind != EntityKind::kNumber && kind != EntityKind::kPair) ++extracted.unused;
    }
    std::string left = BlankEntities(rest_, entities_);
    for (const auto& [begin, end] : consumed_) {
      std::fill(left.begin() + static_cast<long>(begin), left.begin() + static_cast<long>(end),
                ' ');
    }
    extracted.words = SplitWords(left);
    extracted.refers_back = refers_back_;
    extracted.arguments = DumpJson(arguments_);
    return extracted;
  }

 private:
  bool Has(const Parameter& parameter) const { return arguments_.contains(parameter.name); }

  // The first unused entity of one of `kinds`, or nullptr; it counts as used then.
  const Entity* Take(std::initializer_list<EntityKind> kinds) {
    for (std::size_t i = 0; i < entities_.size(); ++i) {
      if (used_[i] || std::find(kinds.begin(), kinds.end(), entities_[i].kind) == kinds.end()) {
        continue;
      }
      used_[i] = true;
      return &entities_[i];
    }
    return nullptr;
  }

  const Parameter* Named(std::string_view name) const {
    for (const Parameter& parameter : parameters_) {
      if (EqualsIgnoreCase(parameter.name, name)) return &parameter;
    }
    return nullptr;
  }

  // `text` as the parameter's type; false when it is none.
  bool Set(const Parameter& parameter, const std::string& text) {
    if (parameter.kind == ParameterKind::kNumber) {
      double number = 0;
      const char* end = text.data() + text.size();
      if (const auto [next, error] = std::from_chars(text.data(), end, number);
          error != std::errc() || next != end) {
        return false;
      }
      if (parameter.integer && (number != static_cast<double>(static_cast<long>(number)))) {
        return false;
      }
      arguments_[parameter.name] =
          parameter.integer ? Json(static_cast<long>(number)) : Json(number);
    } else if (parameter.kind == ParameterKind::kBoolean) {
      if (!In({"true", "false", "yes", "no"}, ToLowerAscii(text))) return false;
      arguments_[parameter.name] = In({"true", "yes"}, ToLowerAscii(text));
    } else if (parameter.kind == ParameterKind::kOther) {
      const auto json = ParseJson(text, "argument");
      arguments_[parameter.name] = json.ok() ? *json : Json(text);
    } else {
      arguments_[parameter.name] = text;
    }
    return true;
  }

  // A JSON object all of whose members are parameters is the arguments.
  void TakeJson() {
    for (std::size_t i = 0; i < entities_.size(); ++i) {
      if (entities_[i].kind != EntityKind::kJson) continue;
      const auto json = ParseJson(entities_[i].text, "arguments");
      if (!json.ok() || !json->is_object() || json->empty()) continue;
      const bool all_known = std::all_of(json->items().begin(), json->items().end(),
                                         [this](const auto& item) { return Named(item.key()); });
      if (!all_known) continue;
      arguments_.update(*json);
      used_[i] = true;
    }
  }

  void TakePairs() {
    for (std::size_t i = 0; i < entities_.size(); ++i) {
      if (entities_[i].kind != EntityKind::kPair) continue;
      const Parameter* parameter = Named(entities_[i].key);
      if (parameter != nullptr && Set(*parameter, entities_[i].text)) used_[i] = true;
    }
  }

  // "limit 5", "offset: 10": a number behind its name; a boolean is on when named.
  void TakeNamed(const Parameter& parameter) {
    if (Has(parameter)) return;
    const Words words = SplitWords(BlankEntities(rest_, entities_));
    const std::string name = ToLowerAscii(parameter.name);
    if (parameter.kind == ParameterKind::kBoolean && name.size() > 2) {
      if (std::find(words.begin(), words.end(), name) != words.end()) {
        arguments_[parameter.name] = true;
      }
      return;
    }
    if (parameter.kind != ParameterKind::kNumber) return;
    const std::string lower = ToLowerAscii(rest_);
    for (std::size_t i = 0; i < entities_.size(); ++i) {
      if (used_[i] || entities_[i].kind != EntityKind::kNumber) continue;
      std::string_view before = TrimSpace(std::string_view(lower).substr(0, entities_[i].begin));
      while (!before.empty() && (before.back() == ':' || before.back() == '=')) {
        before = TrimSpace(before.substr(0, before.size() - 1));
      }
      if (before.ends_with(name) && Set(parameter, entities_[i].text)) {
        used_[i] = true;
        consumed_.push_back(
            {static_cast<std::size_t>(before.size() - name.size()), entities_[i].end});
        return;
      }
    }
  }

  void TakeTyped(const Parameter& parameter) {
    if (Has(parameter)) return;
    const Entity* found = nullptr;
    switch (parameter.kind) {
      case ParameterKind::kUrl:
        found = Take({EntityKind::kUrl});
        if (found == nullptr && parameter.required) TakeHost(parameter);
        break;
      case ParameterKind::kPath:
        found = Take({EntityKind::kPath});
        break;
      case ParameterKind::kMethod:
        TakeMethod(parameter);
        break;
      case ParameterKind::kWord:
        TakeChoice(parameter);
        break;
      default:
        break;
    }
    if (found != nullptr) arguments_[parameter.name] = found->text;
  }

  // "example.com" is a host where a URL is wanted; README.md is not.
  void TakeHost(const Parameter& parameter) {
    for (std::size_t i = 0; i < entities_.size(); ++i) {
      if (used_[i] || entities_[i].kind != EntityKind::kPath) continue;
      const std::string host =
          ToLowerAscii(entities_[i].text.substr(0, entities_[i].text.find('/')));
      const std::size_t dot = host.rfind('.');
      if (dot == std::string::npos || dot == 0 ||
          !In({"com", "org", "net", "io", "dev", "app", "ai", "edu", "gov", "eu", "de", "uk", "fr",
               "info"},
              std::string_view(host).substr(dot + 1))) {
        continue;
      }
      used_[i] = true;
      arguments_[parameter.name] = "https://" + entities_[i].text;
      return;
    }
  }

  bool Any(ParameterKind kind) const {
    return std::any_of(parameters_.begin(), parameters_.end(),
                       [kind](const Parameter& parameter) { return parameter.kind == kind; });
  }

  void TakeMethod(const Parameter& parameter) {
    for (const std::string_view text : {head_, rest_}) {
      for (const std::string& word : SplitWords(text)) {
        if (In({"get", "post", "put", "patch", "delete", "head", "options"}, word)) {
          std::string upper = word;
          std::transform(upper.begin(), upper.end(), upper.begin(),
                         [](char c) { return static_cast<char>(c - 'a' + 'A'); });
          arguments_[parameter.name] = upper;
          return;
        }
      }
    }
  }

  void TakeChoice(const Parameter& parameter) {
    const Words words = SplitWords(rest_);
    for (const std::string& choice : parameter.choices) {
      if (std::find(words.begin(), words.end(), ToLowerAscii(choice)) != words.end()) {
        arguments_[parameter.name] = choice;
        return;
      }
    }
  }

  const Parameter* OpenPath() const {
    for (const Parameter& parameter : parameters_) {
      if (parameter.kind == ParameterKind::kPath && !Has(parameter)) return &parameter;
    }
    return nullptr;
  }

  // A quoted name: to "my file.txt".
  bool TakeQuotedPath(const Parameter& path) {
    const std::string blanked = BlankEntities(rest_, entities_);
    std::size_t open = 0;
    for (std::size_t i = 0; i < entities_.size(); ++i) {
      const EntityKind kind = entities_[i].kind;
      if (used_[i] || (kind != EntityKind::kQuoted && kind != EntityKind::kCode)) continue;
      ++open;
      const std::size_t from = i == 0 ? 0 : entities_[i - 1].end;
      const Words before =
          SplitWords(std::string_view(blanked).substr(from, entities_[i].begin - from));
      const bool led = !before.empty() && LeadsToPath(before, path.required);
      const bool only =
          path.required && !Any(ParameterKind::kText) && OpenWords() == 0 && open == 1;
      if (!led && !only) continue;
      used_[i] = true;
      arguments_[path.name] = entities_[i].text;
      return true;
    }
    return false;
  }

  // "… in src", or a single word such as "Makefile".
  void TakeBarePath() {
    const Parameter* path = OpenPath();
    if (path == nullptr || TakeQuotedPath(*path)) return;
    const std::string blanked = BlankEntities(rest_, entities_);
    std::string_view text = TrimSpace(blanked);
    while (!text.empty() &&
           std::string_view(".,;:!?").find(text.back()) != std::string_view::npos) {
      text = TrimSpace(text.substr(0, text.size() - 1));
    }
    const std::size_t space = text.find_last_of(" \t\n");
    const std::string_view last = space == std::string_view::npos ? text : text.substr(space + 1);
    const std::string_view before =
        space == std::string_view::npos ? std::string_view() : TrimSpace(text.substr(0, space));
    if (last.empty() || last.front() == '-' ||
        In({"everything", "all", "files", "file", "folder", "folders", "directory", "here", "there",
            "workspace", "contents", "content", "these", "those", "please", "now"},
           ToLowerAscii(last))) {
      return;
    }
    const Words words = SplitWords(before);
    const bool led = !words.empty() && LeadsToPath(words, path->required);
    const bool alone = words.empty() && !Any(ParameterKind::kText);
    if (!led && !alone) return;
    if (IsReference(last)) {
      refers_back_ = true;
      return;
    }
    const auto begin = static_cast<std::size_t>(last.data() - blanked.data());
    const std::size_t from = led ? static_cast<std::size_t>(before.data() - blanked.data()) +
                                       before.size() - words.back().size()
                                 : begin;
    arguments_[path->name] = std::string(last);
    consumed_.push_back({from, begin + last.size()});
  }

  std::size_t OpenWords() const {
    return static_cast<std::size_t>(
        std::count_if(parameters_.begin(), parameters_.end(), [this](const Parameter& parameter) {
          return parameter.required && !Has(parameter) && parameter.kind == ParameterKind::kWord;
        }));
  }

  // Quoted text and code, in order, to the text parameters in theirs.
  void TakeQuoted() {
    for (const Parameter& parameter : parameters_) {
      const bool text = parameter.kind == ParameterKind::kText;
      const bool word = parameter.kind == ParameterKind::kWord && parameter.required;
      if (Has(parameter) || (!text && !word)) continue;
      if (IsCommand(parameter)) {
        TakeCommand(parameter);
        continue;
      }
      const Entity* found = Take({EntityKind::kQuoted, EntityKind::kCode});
      if (found == nullptr && text) found = Take({EntityKind::kJson});
      if (found != nullptr) arguments_[parameter.name] = found->text;
    }
  }

  static bool IsCommand(const Parameter& parameter) {
    return In({"command", "cmd", "script"}, parameter.name);
  }

  // A command is quoted as a whole or not at all: `echo "x"` is not the command x.
  void TakeCommand(const Parameter& parameter) {
    const std::size_t begin = rest_.find_first_not_of(" \t\n:");
    for (std::size_t i = 0; i < entities_.size(); ++i) {
      const EntityKind kind = entities_[i].kind;
      if (used_[i] || entities_[i].begin != begin ||
          (kind != EntityKind::kQuoted && kind != EntityKind::kCode)) {
        continue;
      }
      quoted_command_ = true;
      std::string_view behind = TrimSpace(rest_.substr(entities_[i].end));
      if (!behind.empty() && !In({".", "!", "please", "now"}, behind)) return;
      used_[i] = true;
      arguments_[parameter.name] = entities_[i].text;
      return;
    }
  }

  // The rest of the sentence, where exactly one text is still wanted.
  void TakeRest() {
    const Parameter* open = nullptr;
    for (const Parameter& parameter : parameters_) {
      if (!parameter.required || Has(parameter)) continue;
      if (open != nullptr || parameter.kind != ParameterKind::kText) return;
      open = &parameter;
    }
    if (open == nullptr) return;
    std::string text(rest_);
    for (std::size_t i = 0; i < entities_.size(); ++i) {
      if (used_[i]) BlankPart(text, entities_[i].begin, entities_[i].end);
    }
    for (const auto& [begin, end] : consumed_) BlankPart(text, begin, end);
    std::string_view left = TrimSpace(text);
    if (IsCommand(*open)) {
      if (quoted_command_) return;  // words around a quoted command: unclear
      left = CommandOf(left);
    } else {
      left = FreeTextOf(left);
    }
    if (left.empty()) {
      TakePathAsText(*open);
      return;
    }
    if (IsReference(left)) {
      refers_back_ = true;
      return;
    }
    used_.assign(used_.size(), true);
    consumed_.assign(1, {0, rest_.size()});
    arguments_[open->name] = std::string(left);
  }

  // "where is main.cc": nothing but a path is there, and it is what is looked for.
  void TakePathAsText(const Parameter& open) {
    for (const Parameter& parameter : parameters_) {
      if (parameter.kind != ParameterKind::kPath || parameter.required || !Has(parameter)) continue;
      arguments_[open.name] = arguments_[parameter.name];
      arguments_.erase(parameter.name);
      return;
    }
  }

  const std::vector<Parameter>& parameters_;
  std::string_view head_;
  std::string_view rest_;
  std::vector<Entity> entities_;
  std::vector<bool> used_;
  std::vector<std::pair<std::size_t, std::size_t>> consumed_;  // other parts of rest_ done with
  Json arguments_ = Json::object();
  bool refers_back_ = false;
  bool quoted_command_ = false;
};

}  // namespace

Extracted ExtractArguments(const std::vector<Parameter>& parameters, std::string_view head,
                           std::string_view rest) {
  return Extractor(parameters, head, rest).Run();
}

}  // namespace talon::model::reflex
