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
#include "config/limit.h"
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
    const std::size_t before = problems_.size();
    for (const auto& item : node) {
      const std::string key = item.first.IsScalar() ? item.first.Scalar() : "";
      if (!Note(node, item.first, Join(path, key))) continue;
      bool known = false;
      std::vector<std::string_view> names;
      std::apply(
          [&](const auto&... field) {
            ((names.push_back(field.name),
              known |=
              field.name == key && (BindField(item.second, Join(path, key), field, out), true)),
             ...);
          },
          T::Fields());
      // A key that was moved here has no line; its value has.
      if (!known) Unknown(item.first.Mark().is_null() ? item.second : item.first, path, key, names);
    }
    if constexpr (requires { out.Validate(); }) {
      if (problems_.size() == before) Invalid(path, out.Validate());
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
  template <class Field, OptionStruct T>
  void BindField(const YAML::Node& node, const std::string& path, const Field& field, T& out) {
    auto& value = out.*(field.member);
    const std::size_t before = problems_.size();
    Bind(node, path, value);
    if constexpr (requires { field.limit; }) {
      if (problems_.size() == before && !node.IsNull()) Fits(node, path, field.limit, value);
    }
  }
  template <class T>
  void Fits(const YAML::Node& node, const std::string& path, const Limit& limit, const T& value) {
    if constexpr (IsVector<T>::value) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        Fits(node[i], fmt::format("{}[{}]", path, i), limit, value[i]);
      }
    } else if (absl::Status status = CheckLimit(limit, value); !status.ok()) {
      Problem(node, path, Message(status));
    }
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
  // What an options struct at `path` says of itself; its text begins with the key below it.
  void Invalid(const std::string& path, const absl::Status& status);
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
