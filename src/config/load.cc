// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "config/binder.h"
#include "config/config.h"
#include "config/environment.h"
#include "config/opentalon_keys.h"
#include "guard/yaml_document.h"
#include "plugin/manifest.h"

namespace talon::config {
namespace {

constexpr std::size_t kMaxFile = 1 << 20;
constexpr int kMaxDepth = 32;

// Quoted scalars carry the tag "!": they are text whatever they look like.
Json ScalarToJson(const YAML::Node& node, const std::string& text) {
  if (node.Tag() != "!" && text == node.Scalar()) {
    std::int64_t integer = 0;
    double number = 0;
    bool flag = false;
    if (YAML::convert<std::int64_t>::decode(node, integer)) return integer;
    if (YAML::convert<double>::decode(node, number)) return number;
    if (YAML::convert<bool>::decode(node, flag)) return flag;
  }
  return text;
}

// Of the key that `text` begins with, or of the nearest above it; 0 when there is none.
int LineOf(const std::map<std::string, int>& lines, std::string_view text) {
  std::string path(text.substr(0, text.find(": ")));
  while (!path.empty()) {
    const auto found = lines.find(path);
    if (found != lines.end() && found->second != 0) return found->second;
    const std::size_t cut = path.find_last_of(".[");
    path.resize(cut == std::string::npos ? 0 : cut);
  }
  return 0;
}

std::string Combine(const std::vector<std::string>& problems) {
  std::string text;
  for (const std::string& problem : problems) text += (text.empty() ? "" : "\n") + problem;
  return text;
}

// Puts OpenTalon's keys where they stand here, before anything is bound.
class OpenTalonKeys {
 public:
  explicit OpenTalonKeys(Binder& binder) : binder_(binder) {}

  void Move(const YAML::Node& root) {
    Take(root, "", 0);
    for (const Key& key : taken_) Put(root, key);
  }

 private:
  static constexpr int kDeepest = 5;

  struct Key {
    std::string path, here;
    YAML::Node value;
  };

  // True when nothing of `node` is left.
  bool Take(YAML::Node node, const std::string& path, int depth) {
    if (!node.IsMap()) return false;
    std::vector<std::string> gone;
    for (const auto& item : node) {
      if (!item.first.IsScalar()) continue;
      const std::string key = item.first.Scalar();
      const std::string inner = path.empty() ? key : path + "." + key;
      if (std::string here = MovedOpenTalonKey(inner); !here.empty()) {
        taken_.push_back({inner, std::move(here), item.second});
        gone.push_back(key);
      } else if (depth < kDeepest && Take(item.second, inner, depth + 1)) {
        gone.push_back(key);
      }
    }
    for (const std::string& key : gone) node.remove(key);
    return !gone.empty() && node.size() == 0;
  }

  void Put(const YAML::Node& root, const Key& key) {
    YAML::Node at = root;
    std::string_view rest = key.here;
    for (std::size_t dot; (dot = rest.find('.')) != std::string_view::npos;) {
      const std::string name(rest.substr(0, dot));
      rest.remove_prefix(dot + 1);
      if (!at[name].IsDefined() || at[name].IsNull()) at[name] = YAML::Node(YAML::NodeType::Map);
      if (!at[name].IsMap()) return;  // a problem of its own
      at.reset(at[name]);
    }
    const std::string name(rest);
    if (at[name].IsDefined()) {
      binder_.Problem(key.value, key.path, fmt::format("'{}' is set too; keep one", key.here));
      return;
    }
    YAML::Node value = key.value;
    if (value.IsScalar()) {
      const std::string_view text = OpenTalonValue(key.path, value.Scalar());
      if (text != value.Scalar()) value = YAML::Node(std::string(text));
    }
    at[name] = value;
  }

  Binder& binder_;
  std::vector<Key> taken_;
};

}  // namespace

void Binder::Problem(const YAML::Node& node, const std::string& path, std::string_view text) {
  const YAML::Mark mark = node.Mark();
  const std::string line = mark.is_null() ? "" : fmt::format(":{}", mark.line + 1);
  problems_.push_back(
      fmt::format("{}{}: {}{}{}", file_, line, path, path.empty() ? "" : ": ", text));
}

void Binder::Invalid(const std::string& path, const absl::Status& status) {
  if (status.ok()) return;
  const std::string text = Join(path, std::string(Message(status)));
  const int line = LineOf(lines_, text);
  problems_.push_back(line == 0 ? fmt::format("{}: {}", file_, text)
                                : fmt::format("{}:{}: {}", file_, line, text));
}

void Binder::Unknown(const YAML::Node& node, const std::string& path, const std::string& key,
                     const std::vector<std::string_view>& names) {
  const std::string whole = Join(path, key);
  if (const std::string_view why = MissingOpenTalonKey(whole); !why.empty()) {
    return Problem(node, whole, fmt::format("OpenTalon's key, not known here: {}", why));
  }
  const std::string_view nearest = Nearest(key, names);
  Problem(node, whole,
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

// A tree of foreign settings as JSON, twice: as it is and as it may be shown.
class Binder::Foreign {
 public:
  Foreign(Binder& binder, JsonText& out) : binder_(binder), out_(out) {}

  struct Both {
    Json whole, shown;
  };

  Both Read(const YAML::Node& node, const std::string& path, std::string_view key, int depth) {
    if (depth > kMaxDepth) {
      binder_.Problem(node, path, fmt::format("nested deeper than {} levels", kMaxDepth));
      return {};
    }
    if (node.IsScalar()) return Scalar(node, path, key);
    if (node.IsSequence()) {
      Both list{Json::array(), Json::array()};
      for (std::size_t i = 0; i < node.size(); ++i) {
        Both item = Read(node[i], fmt::format("{}[{}]", path, i), key, depth + 1);
        list.whole.push_back(std::move(item.whole));
        list.shown.push_back(std::move(item.shown));
      }
      return list;
    }
    if (!node.IsMap()) return {};
    Both object{Json::object(), Json::object()};
    for (const auto& item : node) {
      const std::string name = item.first.IsScalar() ? item.first.Scalar() : "";
      const std::string inner = Join(path, name);
      if (!binder_.Note(node, item.first, inner)) continue;
      Both value = Read(item.second, inner, name, depth + 1);
      object.whole[name] = std::move(value.whole);
      object.shown[name] = std::move(value.shown);
    }
    return object;
  }

 private:
  Both Scalar(const YAML::Node& node, const std::string& path, std::string_view key) {
    std::string text;
    if (!binder_.Expand(node, path, text)) return {};
    Both value{ScalarToJson(node, text), ScalarToJson(node, text)};
    const std::string& written = node.Scalar();
    const bool variable = written.starts_with("${") && written.find('}') == written.size() - 1;
    const std::string_view name =
        variable ? std::string_view(written).substr(2, written.find_first_of(":}") - 2) : "";
    const bool credential = IsCredentialName(key) || IsCredentialName(name);
    if (credential && value.whole.is_string()) out_.secrets.emplace_back(text);
    if ((credential || variable) && !text.empty()) value.shown = "[redacted]";
    return value;
  }

  Binder& binder_;
  JsonText& out_;
};

void Binder::Bind(const YAML::Node& node, const std::string& path, JsonText& out) {
  out = {};
  if (node.IsNull()) return;
  if (!node.IsMap()) return Mismatch<JsonText>(node, path);
  const Foreign::Both value = Foreign(*this, out).Read(node, path, "", 0);
  out.text = DumpJson(value.whole);
  if (value.shown != value.whole) out.shown = DumpJson(value.shown);
}

bool Binder::Note(const YAML::Node& map, const YAML::Node& key, const std::string& path) {
  if (!key.IsScalar() || key.Scalar().empty()) {
    Problem(map, path, "a key must be a single value");
    return false;
  }
  const auto [found, added] = lines_.emplace(path, key.Mark().line + 1);
  if (!added) {
    Problem(key, path, fmt::format("the key stands here twice; first in line {}", found->second));
  }
  return added;
}

absl::Status Config::Validate() const {
  for (const auto& [name, entry] : plugins) {
    TALON_RETURN_IF_ERROR(Annotate(plugin::CheckPluginName(name), "plugins." + name));
  }
  for (const auto& [name, entry] : channels) {
    TALON_RETURN_IF_ERROR(Annotate(plugin::CheckPluginName(name), "channels." + name));
  }
  return absl::OkStatus();
}

namespace {

// What yaml-cpp says of a tab before a key means nothing to who cannot see it.
std::string WhyNoYaml(std::string_view text, const YAML::Exception& error) {
  int number = 0;
  for (std::size_t at = 0; at < text.size() && number <= error.mark.line; ++number) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    const bool near =
        number + 1 >= error.mark.line;  // text in a block may begin with one elsewhere
    const std::string_view indent = line.substr(0, line.find_first_not_of(" \t"));
    if (near && indent.find('\t') != std::string_view::npos) {
      return fmt::format("{}: a tab indents this line; YAML is indented by spaces", number + 1);
    }
    at = end + 1;
  }
  return fmt::format("{}: not valid YAML: {}", error.mark.line + 1, error.msg);
}

Draft ParseDraft(std::string_view text, std::string_view file, const Environment& environment_in) {
  Draft draft;
  Loaded& loaded = draft.loaded;
  loaded.file = file;
  const Environment environment = [&](const char* name) {
    if (std::string_view(name).starts_with("TALON_")) loaded.variables.insert(name);
    return environment_in(name);
  };
  Binder binder(file, environment);
  try {
    const std::string owned(text);
    if (const auto line = guard::SecondDocument(owned)) {
      draft.problems.push_back(
          fmt::format("{}:{}: a second document begins here; one file is one", file, *line));
      return draft;
    }
    const YAML::Node root = YAML::Load(owned);
    if (root.IsDefined() && !root.IsNull()) {
      OpenTalonKeys(binder).Move(root);
      binder.Bind(root, "", loaded.config);
    }
    loaded.lines = binder.TakeLines();
  } catch (const YAML::Exception& error) {
    draft.problems.push_back(fmt::format("{}:{}", file, WhyNoYaml(text, error)));
    return draft;
  } catch (const std::exception& error) {
    draft.problems.push_back(fmt::format("{}: not valid YAML: {}", file, error.what()));
    return draft;
  }
  draft.problems = binder.problems();
  ApplyEnvironment(environment, loaded, draft.problems);
  return draft;
}

absl::StatusOr<Loaded> Faultless(Draft draft) {
  if (!draft.problems.empty()) return InvalidArgument(Combine(draft.problems));
  return std::move(draft.loaded);
}

}  // namespace

absl::StatusOr<Loaded> Parse(std::string_view text, std::string_view file,
                             const Environment& environment) {
  return Faultless(ParseDraft(text, file, environment));
}

absl::StatusOr<Loaded> Load(const std::string& path, Missing missing,
                            const Environment& environment) {
  TALON_ASSIGN_OR_RETURN(Draft draft, LoadDraft(path, missing, environment));
  return Faultless(std::move(draft));
}

absl::StatusOr<Draft> LoadDraft(const std::string& path, Missing missing,
                                const Environment& environment) {
  auto text = ReadFile(path, kMaxFile);
  const bool none = text.status().code() == absl::StatusCode::kNotFound;
  if (none && missing == Missing::kError) {
    return NotFound(
        fmt::format("configuration: '{}' does not exist; correct TALON_CONFIG or unset it", path));
  }
  if (!text.ok() && !none) return Annotate(text.status(), "configuration");
  Draft draft = ParseDraft(text.ok() ? *text : "", path, environment);
  std::vector<std::string>& sources = draft.loaded.sources;
  if (text.ok()) sources.insert(sources.begin(), path);
  return draft;
}

absl::Status AtItsLine(const Loaded& loaded, const absl::Status& status) {
  const int line = LineOf(loaded.lines, Message(status));
  return line == 0 ? status : Annotate(status, fmt::format("{}:{}", loaded.file, line));
}

}  // namespace talon::config
