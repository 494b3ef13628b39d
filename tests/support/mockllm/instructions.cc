// SPDX-License-Identifier: Apache-2.0
#include "instructions.h"

#include <re2/re2.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json.h"

namespace talon::mockllm {
namespace {

constexpr std::size_t kMostCalls = 8;
constexpr int kMostObjects = 500;        // looked at in one text
constexpr std::size_t kArgsWithin = 48;  // bytes between a name and its arguments

// The balanced {…} at `at`, empty when there is none.
std::string_view ObjectAt(std::string_view text, std::size_t at) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = at; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '{') ++depth;
    if (c == '}' && --depth == 0) return text.substr(at, i - at + 1);
  }
  return {};
}

std::optional<Json> ParsedAt(std::string_view text, std::size_t at) {
  auto json = ParseJson(ObjectAt(text, at), "object");
  if (!json.ok()) return std::nullopt;
  return *std::move(json);
}

// The JSON object that begins within a few bytes after `at`.
std::optional<Json> ArgumentsAfter(std::string_view text, std::size_t at) {
  const std::size_t brace = text.find('{', at);
  if (brace == std::string_view::npos || brace - at > kArgsWithin) return std::nullopt;
  return ParsedAt(text, brace);
}

class Finder {
 public:
  explicit Finder(std::string_view text) : text_(text) {}

  std::vector<Call> Run() {
    Objects();
    Tags();
    Prose();
    Code();
    Actions();
    std::vector<Call> calls;
    for (auto& [at, call] : found_) {
      const bool again = std::any_of(calls.begin(), calls.end(), [&](const Call& other) {
        return other.tool == call.tool && (other.args == call.args || call.args == "{}");
      });
      if (!again && calls.size() < kMostCalls) calls.push_back(std::move(call));
    }
    return calls;
  }

 private:
  void Add(std::size_t at, std::string tool, const std::optional<Json>& args) {
    if (tool.empty()) return;
    Call call;
    call.tool = std::move(tool);
    if (args && args->is_object()) call.args = DumpJson(*args);
    found_.emplace(at, std::move(call));
  }

  static std::optional<Json> ArgumentsIn(const Json& object) {
    for (const char* key : {"arguments", "args", "parameters", "params", "input", "action_input"}) {
      const Json* value = JsonFind(object, key);
      if (value == nullptr) continue;
      if (value->is_object()) return *value;
      if (value->is_string()) {
        if (auto parsed = ParseJson(value->get<std::string>(), key); parsed.ok()) return *parsed;
      }
    }
    return std::nullopt;
  }

  // Whether `object` is a call or holds some.
  bool CallsIn(std::size_t at, const Json& object) {
    for (const char* key : {"tool_calls", "calls"}) {
      const Json* list = JsonFind(object, key);
      if (list == nullptr || !list->is_array()) continue;
      for (const Json& item : *list) CallsIn(at, item);
      return true;
    }
    for (const char* key : {"function", "functionCall", "function_call", "tool_call", "params"}) {
      const Json* inner = JsonFind(object, key);
      if (inner != nullptr && inner->is_object() && CallsIn(at, *inner)) return true;
    }
    for (const char* key : {"name", "tool", "tool_name", "function", "recipient_name", "action"}) {
      std::string name = JsonString(object, key);
      std::optional<Json> args = ArgumentsIn(object);
      if (name.empty() || (!args && std::string_view(key) != "tool")) continue;
      Add(at, std::move(name), args);
      return true;
    }
    return false;
  }

  void Objects() {
    int looked = 0;
    for (std::size_t at = text_.find('{'); at != std::string_view::npos && looked < kMostObjects;
         at = text_.find('{', at + 1), ++looked) {
      const std::string_view object = ObjectAt(text_, at);
      auto json = ParseJson(object, "object");
      if (json.ok() && CallsIn(at, *json)) at += object.size() - 1;
    }
  }

  // <invoke name="x">, <function=x>, [tool_call name=x], <tool_name>x, [TOOL_CALLS]x and their
  // kind.
  void Tags() {
    static const re2::RE2 pattern(
        R"((?i)(?:[<\[]\W?[\w:]*(?:call|invoke|function|tool)\w*[^>\]\n]{0,80}?\bname\s*[=:]\s*["']?)"
        R"(|<function=|<tool_name>\s*|\[tool_calls?\]\s*|\[tool_call:\s*)([A-Za-z_][\w.-]*))");
    Each(pattern, [this](std::size_t at, std::size_t end, std::string name) {
      std::optional<Json> args = ArgumentsAfter(text_, end);
      if (!args) args = ParametersAfter(end);
      Add(at, std::move(name), args);
    });
  }

  // <parameter name="p">v</parameter>, <parameter=p>v</parameter>.
  std::optional<Json> ParametersAfter(std::size_t at) const {
    static const re2::RE2 pattern(
        R"((?s)<parameter(?:\s+name)?\s*=\s*["']?([\w.-]+)["']?\s*>(.*?)</parameter>)");
    const std::size_t end = std::min(text_.find("</invoke", at), text_.find("</function", at));
    const std::string_view body = text_.substr(at, end == std::string_view::npos ? end : end - at);
    re2::StringPiece rest(body.data(), body.size());
    std::string name, value;
    Json args = Json::object();
    while (re2::RE2::FindAndConsume(&rest, pattern, &name, &value)) args[name] = value;
    if (args.empty()) return std::nullopt;
    return args;
  }

  // "call files__read {…}", "please call the tool `x` with arguments {…}".
  void Prose() {
    static const re2::RE2 pattern(
        R"((?i)\b(?:call|invoke|run|use|execute)\s+(?:the\s+)?(?:tool\s+|function\s+)?)"
        R"([`"']?([A-Za-z_][\w.-]*)[`"']?)");
    Each(pattern, [this](std::size_t at, std::size_t end, std::string name) {
      std::optional<Json> args = ArgumentsAfter(text_, end);
      // Without arguments only what looks like a tool's full name is taken for one.
      if (args || name.find("__") != std::string::npos) Add(at, std::move(name), args);
    });
  }

  // files__read(path="x")
  void Code() {
    static const re2::RE2 pattern(R"(([A-Za-z]\w*__\w+)\()");
    static const re2::RE2 argument(R"rx(\s*,?\s*(\w+)\s*=\s*("[^"]*"|'[^']*'|[^,)\s]+))rx");
    Each(pattern, [this](std::size_t at, std::size_t end, std::string name) {
      re2::StringPiece rest(text_.data() + end, text_.size() - end);
      std::string key, value;
      Json args = Json::object();
      while (re2::RE2::Consume(&rest, argument, &key, &value)) {
        const bool quoted = value.starts_with('"') || value.starts_with('\'');
        auto parsed = ParseJson(value, "argument");
        args[key] = quoted        ? Json(value.substr(1, value.size() - 2))
                    : parsed.ok() ? *parsed
                                  : Json(value);
      }
      Add(at, std::move(name), args);
    });
  }

  void Actions() {
    static const re2::RE2 pattern(R"((?im)^\s*Action:\s*([A-Za-z_][\w.-]*)\s*$)");
    Each(pattern, [this](std::size_t at, std::size_t end, std::string name) {
      Add(at, std::move(name), ArgumentsAfter(text_, end));
    });
  }

  // Calls `use(begin, end, first group)` for every match.
  template <class F>
  void Each(const re2::RE2& pattern, F use) {
    const re2::StringPiece all(text_.data(), text_.size());
    re2::StringPiece groups[2];
    std::size_t from = 0;
    while (from < text_.size() &&
           pattern.Match(all, from, text_.size(), re2::RE2::UNANCHORED, groups, 2)) {
      const auto at = static_cast<std::size_t>(groups[0].data() - text_.data());
      const std::size_t end = at + groups[0].size();
      use(at, end, std::string(groups[1].data(), groups[1].size()));
      from = std::max(end, from + 1);
    }
  }

  const std::string_view text_;
  std::multimap<std::size_t, Call> found_;
};

}  // namespace

std::vector<Call> FindCalls(std::string_view text) {
  std::string unmarked(text);
  std::erase(unmarked, '~');
  return Finder(unmarked).Run();
}

}  // namespace talon::mockllm
