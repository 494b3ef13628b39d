// SPDX-License-Identifier: Apache-2.0
#include "model/reflex/extract.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "model/reflex/texts.h"

namespace talon::model::reflex {
namespace {

bool In(std::initializer_list<std::string_view> list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

ParameterKind KindOf(std::string_view name, std::string_view type, const Parameter& parameter) {
  if (type == "integer" || type == "number") return ParameterKind::kNumber;
  if (type == "boolean") return ParameterKind::kBoolean;
  if (type != "string") return ParameterKind::kOther;
  if (!parameter.choices.empty()) return ParameterKind::kWord;
  const std::string lower = ToLowerAscii(name);
  if (In({"path", "file", "filename", "file_path", "filepath", "folder"}, lower) ||
      (parameter.required && In({"directory", "dir"}, lower))) {
    return ParameterKind::kPath;
  }
  if (In({"url", "uri", "link", "endpoint"}, lower)) return ParameterKind::kUrl;
  if (lower == "method") return ParameterKind::kMethod;
  if (In({"content", "text", "command", "cmd", "script", "query", "q", "pattern", "body", "message",
          "prompt", "input", "question", "data", "expression", "code"},
         lower)) {
    return ParameterKind::kText;
  }
  return ParameterKind::kWord;
}

std::string_view TypeOf(const Json& schema) {
  const Json* type = JsonFind(schema, "type");
  if (type != nullptr && type->is_array() && !type->empty()) type = &type->front();
  if (type == nullptr || !type->is_string()) return "";
  return type->get_ref<const std::string&>();
}

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

  static bool LeadsToPath(const Words& words, bool required) {
    const std::string& last = words.back();
    if (In({"in", "under", "inside", "within", "folder", "directory", "file"}, last)) return true;
    if (required) return In({"from", "of", "to", "into", "at"}, last);
    return last == "of" && words.size() > 1 &&
           In({"content", "contents", "files", "folder"}, words[words.size() - 2]);
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
      if (used_[i]) Cut(text, entities_[i].begin, entities_[i].end);
    }
    for (const auto& [begin, end] : consumed_) Cut(text, begin, end);
    std::string_view left = TrimSpace(text);
    if (IsCommand(*open)) {
      if (quoted_command_) return;  // words around a quoted command: unclear
      left = CommandOf(left);
    } else {
      left = TextOf(left);
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

  // Blanks a part, with a preposition that leads to it.
  static void Cut(std::string& text, std::size_t begin, std::size_t end) {
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

  static bool TakeOff(std::string_view& text, std::initializer_list<std::string_view> openings) {
    for (const std::string_view opening : openings) {
      if (EqualsIgnoreCase(text.substr(0, opening.size()), opening)) {
        text = TrimSpace(text.substr(opening.size()));
        return true;
      }
    }
    return false;
  }

  // ": ls" and "the command ls" are "ls"; "the tests" is no command.
  static std::string_view CommandOf(std::string_view text) {
    while (TakeOff(text, {":", "the command ", "command ", "this command ", "this:"})) {
    }
    std::string_view rest = text;
    return TakeOff(rest, {"the ", "a ", "an ", "my ", "our ", "all ", "some ", "some of "}) ? ""
                                                                                            : text;
  }

  // "a file … with the text x" and "for the word x?" are "x".
  static std::string_view TextOf(std::string_view text) {
    const std::string lower = ToLowerAscii(text);
    for (const std::string_view opening :
         {"with the text ", "with text ", "with the content ", "with content ", "containing ",
          "that says ", "saying "}) {
      if (const std::size_t at = lower.find(opening); at != std::string::npos) {
        return TrimSpace(text.substr(at + opening.size()));
      }
    }
    std::string_view rest = text;
    if (TakeOff(rest, {"a file", "file ", "the file", "a new file", "new file", "into "}))
      return "";
    while (TakeOff(text, {"for ", "about ", "the text ", "the word ", "text ", ": ", "files with ",
                          "all files with ", "lines with ", "all lines with "})) {
    }
    while (!text.empty() && (text.back() == '?' || text.back() == ':')) text.remove_suffix(1);
    return TrimSpace(text);
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

  static bool IsReference(std::string_view text) {
    return In({"it", "that", "this", "them", "the result", "the output", "the answer", "result",
               "the content", "the contents", "its content", "its contents"},
              ToLowerAscii(text));
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

std::vector<Parameter> ParametersOf(const ToolDefinition& tool) {
  std::vector<Parameter> parameters;
  const auto schema = ParseJson(tool.schema, "schema");
  if (!schema.ok()) return parameters;
  const Json* properties = JsonFind(*schema, "properties");
  if (properties == nullptr || !properties->is_object()) return parameters;
  std::vector<std::string> order;
  const Json* required = JsonFind(*schema, "required");
  if (required != nullptr && required->is_array()) {
    for (const Json& name : *required) {
      if (name.is_string() && properties->contains(name.get_ref<const std::string&>())) {
        order.push_back(name.get<std::string>());
      }
    }
  }
  const std::size_t required_count = order.size();
  for (const auto& [name, part] : properties->items()) {
    if (std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Json& part = (*properties)[order[i]];
    Parameter parameter;
    parameter.name = order[i];
    parameter.required = i < required_count;
    if (const Json* choices = JsonFind(part, "enum"); choices != nullptr && choices->is_array()) {
      for (const Json& choice : *choices) {
        if (choice.is_string()) parameter.choices.push_back(choice.get<std::string>());
      }
    }
    const std::string_view type = TypeOf(part);
    parameter.integer = type == "integer";
    parameter.kind = KindOf(parameter.name, type, parameter);
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

Extracted ExtractArguments(const std::vector<Parameter>& parameters, std::string_view head,
                           std::string_view rest) {
  return Extractor(parameters, head, rest).Run();
}

std::string ExampleArguments(const std::vector<Parameter>& parameters) {
  std::string example = "{";
  for (const Parameter& parameter : parameters) {
    if (!parameter.required) continue;
    if (example.size() > 1) example += ", ";
    AppendJsonString(example, parameter.name);
    example += parameter.kind == ParameterKind::kNumber ? ": 1" : ": \"…\"";
  }
  return example + "}";
}

}  // namespace talon::model::reflex
