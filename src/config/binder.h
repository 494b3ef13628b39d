// SPDX-License-Identifier: Apache-2.0
// Binds a YAML tree to option structs and gathers every problem with its line. Only load.cc
// includes this: yaml-cpp stays there.
#pragma once

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/config.h"
#include "config/values.h"

namespace talon::config {

class Binder {
 public:
  Binder(std::string_view file, const Environment& environment)
      : file_(file), environment_(environment) {}

  template <OptionStruct T>
  void Bind(const YAML::Node& node, const std::string& path, T& out) {
    if (node.IsNull()) return;
    if (!node.IsMap()) return Mismatch<T>(node, path);
    for (const auto& item : node) {
      const std::string key = item.first.IsScalar() ? item.first.Scalar() : "";
      if (!Note(node, item.first, Join(path, key))) continue;
      bool known = false;
      std::vector<std::string_view> names;
      std::apply(
          [&](const auto&... field) {
            ((names.push_back(field.name),
              known |=
              field.name == key && (Bind(item.second, Join(path, key), out.*(field.member)), true)),
             ...);
          },
          T::Fields());
      if (!known) Unknown(item.first, path, key, names);
    }
  }

  template <class T>
  void Bind(const YAML::Node& node, const std::string& path, std::vector<T>& out) {
    out.clear();
    if (node.IsNull()) return;
    if (!node.IsSequence()) return Mismatch<std::vector<T>>(node, path);
    for (std::size_t i = 0; i < node.size(); ++i) {
      Bind(node[i], fmt::format("{}[{}]", path, i), out.emplace_back());
    }
  }

  template <class T>
  void Bind(const YAML::Node& node, const std::string& path, std::map<std::string, T>& out) {
    if (node.IsNull()) return;
    if (!node.IsMap()) return Mismatch<std::map<std::string, T>>(node, path);
    for (const auto& item : node) {
      const std::string key = item.first.IsScalar() ? item.first.Scalar() : "";
      const std::string inner = Join(path, key);
      if (Note(node, item.first, inner)) Bind(item.second, inner, out[key]);
    }
  }

  void Bind(const YAML::Node& node, const std::string& path, JsonText& out);

  template <class T>
    requires(!OptionStruct<T>)
  void Bind(const YAML::Node& node, const std::string& path, T& out) {
    if (node.IsNull()) return;
    if (!node.IsScalar()) return Mismatch<T>(node, path);
    std::string text;
    if (!Expand(node, path, text)) return;
    if (absl::Status status = ParseValue(text, out); !status.ok()) {
      Problem(node, path, Message(status));
    }
  }

  void Problem(const YAML::Node& node, const std::string& path, std::string_view text);
  const std::vector<std::string>& problems() const { return problems_; }
  // Where each key stands, by its path.
  std::map<std::string, int> TakeLines() { return std::move(lines_); }

 private:
  static std::string Join(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
  }
  template <class T>
  void Mismatch(const YAML::Node& node, const std::string& path) {
    const char* found = node.IsMap()        ? "a mapping"
                        : node.IsSequence() ? "a list"
                                            : "a single value";
    Problem(node, path, fmt::format("expected a {}, found {}", TypeName<T>(), found));
  }
  void Unknown(const YAML::Node& node, const std::string& path, const std::string& key,
               const std::vector<std::string_view>& names);
  // Remembers the line of a key; false, and a problem, when it stands there a second time.
  bool Note(const YAML::Node& map, const YAML::Node& key, const std::string& path);
  // Replaces ${NAME} and ${NAME:-default}; an unset variable is a problem.
  bool Expand(const YAML::Node& node, const std::string& path, std::string& out);

  class Foreign;

  std::string file_;
  const Environment& environment_;
  std::vector<std::string> problems_;
  std::map<std::string, int> lines_;
};

}  // namespace talon::config
