// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "config/binder.h"
#include "config/config.h"
#include "config/environment.h"

namespace talon::config {
namespace {

constexpr std::size_t kMaxFile = 1 << 20;
constexpr int kMaxDepth = 32;

Json ToJson(const YAML::Node& node, int depth) {
  if (depth > kMaxDepth) return nullptr;
  if (node.IsMap()) {
    Json object = Json::object();
    for (const auto& item : node) object[item.first.Scalar()] = ToJson(item.second, depth + 1);
    return object;
  }
  if (node.IsSequence()) {
    Json list = Json::array();
    for (const auto& item : node) list.push_back(ToJson(item, depth + 1));
    return list;
  }
  if (!node.IsScalar()) return nullptr;
  // Quoted scalars carry the tag "!": they are text whatever they look like.
  if (node.Tag() != "!") {
    std::int64_t integer = 0;
    double number = 0;
    bool flag = false;
    if (YAML::convert<std::int64_t>::decode(node, integer)) return integer;
    if (YAML::convert<double>::decode(node, number)) return number;
    if (YAML::convert<bool>::decode(node, flag)) return flag;
  }
  return node.Scalar();
}

std::string Combine(const std::vector<std::string>& problems) {
  std::string text;
  for (const std::string& problem : problems) text += (text.empty() ? "" : "\n") + problem;
  return text;
}

}  // namespace

void Binder::Problem(const YAML::Node& node, const std::string& path, std::string_view text) {
  const YAML::Mark mark = node.Mark();
  const std::string line = mark.is_null() ? "" : fmt::format(":{}", mark.line + 1);
  problems_.push_back(
      fmt::format("{}{}: {}{}{}", file_, line, path, path.empty() ? "" : ": ", text));
}

void Binder::Unknown(const YAML::Node& node, const std::string& path, const std::string& key,
                     const std::vector<std::string_view>& names) {
  const std::string_view nearest = Nearest(key, names);
  Problem(node, Join(path, key),
          nearest.empty() ? fmt::format("unknown key; known: {}", fmt::join(names, ", "))
                          : fmt::format("unknown key; did you mean '{}'?", nearest));
}

bool Binder::Expand(const YAML::Node& node, const std::string& path, std::string& out) {
  std::string_view text = node.Scalar();
  while (true) {
    const std::size_t start = text.find("${");
    out.append(text.substr(0, start));
    if (start == std::string_view::npos) return true;
    const std::size_t end = text.find('}', start);
    if (end == std::string_view::npos) {
      Problem(node, path, "'${' without '}'");
      return false;
    }
    std::string name(text.substr(start + 2, end - start - 2));
    std::optional<std::string> fallback;
    if (const std::size_t at = name.find(":-"); at != std::string::npos) {
      fallback = name.substr(at + 2);
      name.resize(at);
    }
    const char* value = environment_(name.c_str());
    if (value == nullptr && !fallback) {
      Problem(node, path,
              fmt::format("environment variable '{}' is not set; set it or write ${{{}:-default}}",
                          name, name));
      return false;
    }
    out += value != nullptr ? value : *fallback;
    text.remove_prefix(end + 1);
  }
}

void Binder::Bind(const YAML::Node& node, const std::string& path, JsonText& out) {
  if (node.IsNull()) return;
  if (!node.IsMap()) return Mismatch<JsonText>(node, path);
  out.text = DumpJson(ToJson(node, 0));
}

absl::StatusOr<Loaded> Parse(std::string_view text, std::string_view file,
                             const Environment& environment) {
  Loaded loaded;
  Binder binder(file, environment);
  try {
    const YAML::Node root = YAML::Load(std::string(text));
    if (root.IsDefined() && !root.IsNull()) binder.Bind(root, "", loaded.config);
  } catch (const YAML::Exception& error) {
    return InvalidArgument(
        fmt::format("{}:{}: not valid YAML: {}", file, error.mark.line + 1, error.msg));
  } catch (const std::exception& error) {
    return InvalidArgument(fmt::format("{}: not valid YAML: {}", file, error.what()));
  }
  std::vector<std::string> problems = binder.problems();
  ApplyEnvironment(environment, loaded, problems);
  if (!problems.empty()) return InvalidArgument(Combine(problems));
  return loaded;
}

absl::StatusOr<Loaded> Load(const std::string& path, const Environment& environment) {
  auto text = ReadFile(path, kMaxFile);
  if (!text.ok() && text.status().code() != absl::StatusCode::kNotFound) {
    return Annotate(text.status(), "configuration");
  }
  auto loaded = Parse(text.ok() ? *text : "", path, environment);
  if (loaded.ok() && text.ok()) loaded->sources.insert(loaded->sources.begin(), path);
  return loaded;
}

}  // namespace talon::config
