// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "config/config.h"
#include "config/limit.h"
#include "config/values.h"

namespace talon::config {
namespace {

std::string Indent(int depth) {
  return std::string(static_cast<std::size_t>(depth) * 2, ' ');
}

// Writes values as YAML; with `docs`, each key's meaning as a comment above it.
class YamlWriter {
 public:
  explicit YamlWriter(bool docs) : docs_(docs) {}

  template <OptionStruct T>
  void Struct(const T& value, int depth) {
    std::apply(
        [&](const auto&... field) {
          (Member(field.name, field.doc, value.*(field.member), depth), ...);
        },
        T::Fields());
  }
  std::string Take() { return std::move(out_); }

 private:
  template <class T>
  void Member(std::string_view name, std::string_view doc, const T& value, int depth) {
    if (docs_) out_ += fmt::format("{}# {}\n", Indent(depth), doc);
    out_ += fmt::format("{}{}:", Indent(depth), name);
    Value(value, depth + 1);
  }
  template <OptionStruct T>
  void Value(const T& value, int depth) {
    out_ += "\n";
    Struct(value, depth);
  }
  template <class T>
  void Value(const std::vector<T>& list, int depth) {
    if (list.empty()) {
      out_ += " []\n";
      return;
    }
    out_ += "\n";
    for (const T& item : list) {
      if constexpr (OptionStruct<T>) {
        YamlWriter inner(docs_);
        inner.Struct(item, depth + 1);
        std::string text = inner.Take();
        text[static_cast<std::size_t>(depth) * 2] = '-';
        out_ += text;
      } else {
        out_ += fmt::format("{}- {}\n", Indent(depth), FormatValue(item));
      }
    }
  }
  template <class T>
  void Value(const std::map<std::string, T>& map, int depth) {
    if (map.empty()) {
      out_ += " {}\n";
      return;
    }
    out_ += "\n";
    for (const auto& [key, item] : map) {
      out_ += fmt::format("{}{}:", Indent(depth), FormatValue(key));
      Value(item, depth + 1);
    }
  }
  template <class T>
    requires(!OptionStruct<T>)
  void Value(const T& value, int) {
    out_ += " " + FormatValue(value) + "\n";
  }

  bool docs_;
  std::string out_;
};

// A row a key: path, type, default, reload, meaning.
class ReferenceWriter {
 public:
  template <OptionStruct T>
  void Struct(const std::string& path, const T& defaults, Reload outer = Reload::kLive) {
    std::apply(
        [&](const auto&... field) {
          (Member(path + std::string(field.name), field,
                  outer == Reload::kRestart ? outer : field.reload, defaults.*(field.member)),
           ...);
        },
        T::Fields());
  }
  std::string Take() { return std::move(out_); }

 private:
  template <class Field, class T>
  void Member(const std::string& path, const Field& field, Reload reload, const T& value) {
    if constexpr (OptionStruct<T>) {
      Struct(path + ".", value, reload);
    } else {
      Row(path, Type<T>(field), Default(value), reload, field.doc);
      if constexpr (IsMap<T>::value) {
        using Item = typename T::mapped_type;
        if constexpr (OptionStruct<Item>) Struct(path + ".<name>.", Item{}, reload);
      } else if constexpr (IsVector<T>::value) {
        using Item = typename T::value_type;
        if constexpr (OptionStruct<Item>) Struct(path + "[].", Item{}, reload);
      }
    }
  }
  // With what it may be: "whole number, at least 1".
  template <class T, class Field>
  static std::string Type(const Field& field) {
    std::string type = TypeName<T>();
    if constexpr (OptionEnum<T>) {
      for (const auto& [name, value] : EnumNames(T{})) {
        type += fmt::format("{} {}", value == EnumNames(T{}).front().second ? ":" : ",", name);
      }
    } else if constexpr (requires { field.limit; }) {
      const bool of_choices = field.limit.kind == Limit::Kind::kChoices;
      type += of_choices ? ": " : ", ";
      if constexpr (IsVector<T>::value) {
        type += DescribeLimit(field.limit, &WriteNumber<typename T::value_type>);
      } else {
        type += DescribeLimit(field.limit, &WriteNumber<T>);
      }
    }
    return type;
  }
  void Row(const std::string& path, const std::string& type, const std::string& value,
           Reload reload, std::string_view doc) {
    out_ += fmt::format("| `{}` | {} | {} | {} | {} |\n", path, type,
                        value.empty() ? "" : "`" + value + "`",
                        reload == Reload::kLive ? "at once" : "restart", doc);
  }
  template <class T>
  static std::string Default(const T& value) {
    if constexpr (IsMap<T>::value) {
      return "";
    } else if constexpr (IsVector<T>::value) {
      std::string list;
      if constexpr (!OptionStruct<typename T::value_type>) {
        for (const auto& item : value) list += (list.empty() ? "" : ", ") + FormatValue(item);
      }
      return list;
    } else {
      return FormatValue(value);
    }
  }
  std::string out_;
};

// Leaf values as text by path, with the strictest reload on the way.
class Flattener {
 public:
  struct Leaf {
    std::string value;
    Reload reload;
  };
  template <OptionStruct T>
  void Struct(const std::string& path, const T& value, Reload outer) {
    std::apply(
        [&](const auto&... field) {
          (Member(path + std::string(field.name), value.*(field.member),
                  outer == Reload::kRestart ? outer : field.reload),
           ...);
        },
        T::Fields());
  }
  std::map<std::string, Leaf> Take() { return std::move(leaves_); }
  // Entries of maps, by their paths.
  const std::map<std::string, Reload>& entries() const { return entries_; }

 private:
  template <class T>
  void Member(const std::string& path, const T& value, Reload reload) {
    if constexpr (OptionStruct<T>) {
      Struct(path + ".", value, reload);
    } else if constexpr (IsMap<T>::value) {
      for (const auto& [key, item] : value) {
        if constexpr (OptionStruct<typename T::mapped_type>) {
          entries_[path + "." + key] = reload;
        }
        Member(path + "." + key, item, reload);
      }
    } else if constexpr (IsVector<T>::value) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        Member(fmt::format("{}[{}]", path, i), value[i], reload);
      }
    } else if constexpr (std::same_as<T, Secret>) {
      // Differs when the secret differs, shows nothing of it.
      leaves_[path] = {value.empty() ? "" : "[redacted]" + std::string(1, '\0') + value.Reveal(),
                       reload};
    } else if constexpr (std::same_as<T, JsonText>) {
      leaves_[path] = {FormatValue(value) + std::string(1, '\0') + value.text, reload};
    } else {
      leaves_[path] = {FormatValue(value), reload};
    }
  }
  std::map<std::string, Leaf> leaves_;
  std::map<std::string, Reload> entries_;
};

// Takes the leaves of an entry out that only one side has; what is left of it is its name.
std::vector<Change> TakeWhole(const Flattener& have, const Flattener& lack, std::string_view what,
                              std::map<std::string, Flattener::Leaf>& leaves) {
  std::vector<Change> changes;
  for (const auto& [entry, reload] : have.entries()) {
    if (lack.entries().contains(entry)) continue;
    const auto first = leaves.lower_bound(entry + ".");
    auto last = first;
    while (last != leaves.end() && last->first.starts_with(entry + ".")) ++last;
    if (first == last) continue;  // within another that went as a whole
    leaves.erase(first, last);
    changes.push_back({entry, "", std::string(what), reload});
  }
  return changes;
}

// The Secret leaves, and those of foreign settings. A value of a map of secrets counts when its
// name says that it is one: a header "X-Team: blue" must not blank the word everywhere.
class SecretCollector {
 public:
  template <OptionStruct T>
  void Take(const T& value, std::string_view = "") {
    std::apply([&](const auto&... field) { (Take(value.*(field.member)), ...); }, T::Fields());
  }
  template <class T>
  void Take(const std::map<std::string, T>& map, std::string_view = "") {
    for (const auto& [name, item] : map) Take(item, name);
  }
  template <class T>
  void Take(const std::vector<T>& list, std::string_view = "") {
    for (const T& item : list) Take(item);
  }
  void Take(const Secret& secret, std::string_view name = "") {
    if (!name.empty() && !IsCredentialName(name)) return;
    secrets.push_back(secret);
    // "Bearer sk-…": the credential may be quoted without its scheme.
    const std::string& value = secret.Reveal();
    if (const std::size_t space = value.rfind(' '); !name.empty() && space != std::string::npos) {
      secrets.emplace_back(value.substr(space + 1));
    }
  }
  void Take(const JsonText& foreign, std::string_view = "") {
    secrets.insert(secrets.end(), foreign.secrets.begin(), foreign.secrets.end());
  }
  template <class T>
    requires(!OptionStruct<T>)
  void Take(const T&, std::string_view = "") {}

  std::vector<Secret> secrets;
};

std::string Visible(const std::string& value) {
  return value.substr(0, value.find('\0'));
}

}  // namespace

std::string Show(const Config& config) {
  YamlWriter writer(false);
  writer.Struct(config, 0);
  return writer.Take();
}

std::vector<Secret> SecretsOf(const Config& config) {
  SecretCollector collector;
  collector.Take(config);
  return std::move(collector.secrets);
}

std::string ExampleYaml() {
  YamlWriter writer(true);
  writer.Struct(Config{}, 0);
  return "# talon.yaml: every key with its default. Generated by `talon config example`.\n"
         "# Durations: 500ms, 30s, 5m, 2h. Sizes: 64KB, 8MB. ${NAME} takes an environment "
         "variable.\n" +
         writer.Take();
}

std::string ReferenceMarkdown() {
  ReferenceWriter writer;
  writer.Struct("", Config{});
  return "| key | type | default | in force | meaning |\n|---|---|---|---|---|\n" + writer.Take();
}

std::vector<Change> Compare(const Config& before, const Config& after) {
  Flattener old_values, new_values;
  old_values.Struct("", before, Reload::kLive);
  new_values.Struct("", after, Reload::kLive);
  auto was = old_values.Take();
  auto is = new_values.Take();
  std::vector<Change> changes = TakeWhole(new_values, old_values, "added", is);
  for (Change& gone : TakeWhole(old_values, new_values, "removed", was)) {
    changes.push_back(std::move(gone));
  }
  for (auto& [key, leaf] : is) {
    auto found = was.find(key);
    if (found == was.end()) {
      changes.push_back({key, "", Visible(leaf.value), leaf.reload});
    } else {
      if (found->second.value != leaf.value) {
        changes.push_back({key, Visible(found->second.value), Visible(leaf.value), leaf.reload});
      }
      was.erase(found);
    }
  }
  for (const auto& [key, leaf] : was) {
    changes.push_back({key, Visible(leaf.value), "", leaf.reload});
  }
  return changes;
}

}  // namespace talon::config
