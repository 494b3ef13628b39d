// SPDX-License-Identifier: Apache-2.0
#include "cli/question_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/terminal.h"
#include "base/text.h"

namespace talon::cli {
namespace {

constexpr int kTries = 3;

bool SaysYes(std::string_view line) {
  line = TrimSpace(line);
  return EqualsIgnoreCase(line, "y") || EqualsIgnoreCase(line, "yes");
}

bool SaysNo(std::string_view line) {
  return EqualsIgnoreCase(line, "n") || EqualsIgnoreCase(line, "no");
}

struct Choice {
  std::string value, name;
};

std::vector<Choice> ChoicesOf(const Json& field) {
  std::vector<Choice> choices;
  const Json* values = JsonFind(field, "enum");
  const Json* names = JsonFind(field, "enumNames");
  for (std::size_t i = 0; values != nullptr && i < values->size(); ++i) {
    Choice choice{.value = (*values)[i].get<std::string>(), .name = ""};
    choice.name =
        names != nullptr && i < names->size() ? (*names)[i].get<std::string>() : choice.value;
    choices.push_back(std::move(choice));
  }
  return choices;
}

// By its number, its value or its name.
std::optional<Json> Choose(const std::vector<Choice>& choices, std::string_view line) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (EqualsIgnoreCase(line, choices[i].value) || EqualsIgnoreCase(line, choices[i].name)) {
      return choices[i].value;
    }
  }
  const bool whole = error == std::errc() && end == line.data() + line.size();
  if (whole && number >= 1 && number <= choices.size()) return choices[number - 1].value;
  return std::nullopt;
}

template <class Number>
std::optional<Json> ReadNumber(std::string_view line) {
  Number value{};
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc() || end != line.data() + line.size()) return std::nullopt;
  return Json(value);
}

std::optional<Json> ReadList(const Json& field, std::string_view line) {
  const Json* items = JsonFind(field, "items");
  const std::vector<Choice> choices = ChoicesOf(items == nullptr ? field : *items);
  Json list = Json::array();
  while (!line.empty()) {
    const std::size_t comma = line.find(',');
    auto chosen = Choose(choices, TrimSpace(line.substr(0, comma)));
    if (!chosen) return std::nullopt;
    list.push_back(*std::move(chosen));
    line = comma == std::string_view::npos ? "" : line.substr(comma + 1);
  }
  return list;
}

// What the line means for the field; nothing when it does not fit.
std::optional<Json> Read(const Json& field, std::string_view line) {
  const std::string type = JsonString(field, "type");
  if (type == "array") return ReadList(field, line);
  if (type == "integer") return ReadNumber<long>(line);
  if (type == "number") return ReadNumber<double>(line);
  if (type == "boolean") {
    if (SaysYes(line)) return true;
    return SaysNo(line) ? std::optional<Json>(false) : std::nullopt;
  }
  const std::vector<Choice> choices = ChoicesOf(field);
  return choices.empty() ? std::optional<Json>(std::string(line)) : Choose(choices, line);
}

std::string PromptOf(const std::string& name, const Json& field, bool required) {
  const std::string title = JsonString(field, "title", name);
  std::string prompt = "  " + ForTerminal(title);
  if (JsonString(field, "type") == "boolean") prompt += " (y/n)";
  if (const Json* value = JsonFind(field, "default")) {
    const std::string shown = value->is_string() ? value->get<std::string>() : DumpJson(*value);
    prompt += fmt::format(" [{}]", ForTerminal(shown));
  } else if (!required) {
    prompt += " (may be empty)";
  }
  return prompt + ": ";
}

void Explain(const Json& field, const ShowText& show) {
  if (const std::string text = JsonString(field, "description"); !text.empty()) {
    show("  " + ForTerminal(text));
  }
  const bool list = JsonString(field, "type") == "array";
  const Json* items = list ? JsonFind(field, "items") : nullptr;
  int number = 0;
  for (const Choice& choice : ChoicesOf(items != nullptr ? *items : field)) {
    show(fmt::format("    {}. {}", ++number, ForTerminal(choice.name)));
  }
  if (list) show("  (several: separate them with commas)");
}

// False: declined.
bool AskField(const std::string& name, const Json& field, bool required, const ReadLine& read,
              const ShowText& show, Json& content) {
  Explain(field, show);
  for (int i = 0; i < kTries; ++i) {
    const auto line = read(PromptOf(name, field, required));
    if (!line) return false;
    const std::string_view text = TrimSpace(*line);
    if (text.empty()) {
      if (const Json* value = JsonFind(field, "default")) content[name] = *value;
      return content.contains(name) || !required;
    }
    if (auto value = Read(field, text)) {
      content[name] = *std::move(value);
      return true;
    }
    show("  That does not fit.");
  }
  return false;
}

std::string HeadingOf(const Json& question) {
  const std::string tool = ForTerminal(JsonString(question, "tool"));
  return fmt::format("? {} of plugin '{}' asks (an empty line declines; give it no passwords):",
                     tool, ForTerminal(JsonString(question, "plugin")));
}

// An empty line declines, as in a form.
bool AskYesNo(const std::string& prompt, const ReadLine& read, const ShowText& show) {
  for (int i = 0; i < kTries; ++i) {
    const auto line = read(prompt);
    if (!line) return false;
    const std::string_view text = TrimSpace(*line);
    if (SaysYes(text)) return true;
    if (text.empty() || SaysNo(text)) return false;
    show("  Say y or n.");
  }
  return false;
}

bool IsRequired(const Json& schema, const std::string& name) {
  const Json* required = JsonFind(schema, "required");
  return required != nullptr &&
         std::find(required->begin(), required->end(), name) != required->end();
}

}  // namespace

FormAnswer AskPerson(const Json& question, const ReadLine& read, const ShowText& show) {
  show(HeadingOf(question));
  show("  " + ForTerminal(JsonString(question, "text")));
  if (const std::string url = JsonString(question, "url"); !url.empty()) {
    show("  Open " + ForTerminal(url));
    return {.accepted = AskYesNo("  Done? (y/n): ", read, show), .content = ""};
  }
  const Json* schema = JsonFind(question, "schema");
  const Json* fields = JsonFind(question, "fields");
  const Json* properties = schema == nullptr ? nullptr : JsonFind(*schema, "properties");
  if (properties == nullptr || fields == nullptr) {
    return {.accepted = AskYesNo("  (y/n): ", read, show), .content = ""};
  }
  Json content = Json::object();
  for (const Json& each : *fields) {
    const std::string name = each.is_string() ? each.get<std::string>() : "";
    const Json* field = JsonFind(*properties, name);
    if (field == nullptr) continue;
    if (!AskField(name, *field, IsRequired(*schema, name), read, show, content)) return {};
  }
  return {.accepted = true, .content = DumpJson(content)};
}

}  // namespace talon::cli
