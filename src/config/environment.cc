// SPDX-License-Identifier: Apache-2.0
#include "config/environment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "config/limit.h"
#include "config/usual_providers.h"
#include "config/values.h"

namespace talon::config {
namespace {

std::string Upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

class Overrides {
 public:
  Overrides(const Environment& environment, Loaded& loaded, std::vector<std::string>& problems)
      : environment_(environment), loaded_(loaded), problems_(problems) {}

  template <OptionStruct T>
  void Apply(const std::string& prefix, T& out) {
    std::apply(
        [&](const auto&... field) {
          (ApplyField(prefix + "_" + Upper(std::string(field.name)), field, out), ...);
        },
        T::Fields());
  }
  template <class T>
  void Apply(const std::string& prefix, std::map<std::string, T>& out) {
    if constexpr (OptionStruct<T>) {
      for (auto& [key, value] : out) Apply(prefix + "_" + Upper(key), value);
    } else {
      Refuse(prefix);
    }
  }
  template <class T>
  void Apply(const std::string& name, std::vector<T>&) {
    Refuse(name);
  }
  void Apply(const std::string& name, JsonText&) { Refuse(name); }
  template <class T>
    requires(!OptionStruct<T>)
  void Apply(const std::string& name, T& out) {
    const char* value = environment_(name.c_str());
    if (value == nullptr) return;
    loaded_.sources.push_back(name);
    if (absl::Status status = ParseValue(std::string_view(value), out); !status.ok()) {
      problems_.push_back(fmt::format("environment variable {}: {}", name, Message(status)));
    }
  }

 private:
  template <class Field, OptionStruct T>
  void ApplyField(const std::string& name, const Field& field, T& out) {
    auto& value = out.*(field.member);
    const std::size_t before = problems_.size();
    Apply(name, value);
    using Value = std::remove_reference_t<decltype(value)>;
    if constexpr (requires { field.limit; } && !IsVector<Value>::value) {
      if (problems_.size() != before || environment_(name.c_str()) == nullptr) return;
      if (absl::Status status = CheckLimit(field.limit, value); !status.ok()) {
        problems_.push_back(fmt::format("environment variable {}: {}", name, Message(status)));
      }
    }
  }
  void Refuse(const std::string& name) {
    if (environment_(name.c_str()) == nullptr) return;
    problems_.push_back(fmt::format(
        "environment variable {}: only single values can be set so; write it in talon.yaml", name));
  }

  const Environment& environment_;
  Loaded& loaded_;
  std::vector<std::string>& problems_;
};

// Read by others: daemon/, tests and scripts, the plugins' SDK. Names that end in '_' are prefixes.
constexpr std::string_view kOthers[] = {"TALON_HOME",          "TALON_CONFIG", "TALON_PLUGIN_DIR",
                                        "TALON_LONG",          "TALON_BIN",    "TALON_BENCH_BUILD",
                                        "TALON_PLUGIN_COOKIE", "TALON_KILL_",  "TALON_TEST_"};

bool ReadByOthers(std::string_view name) {
  return std::ranges::any_of(kOthers, [&](std::string_view other) {
    return other.ends_with('_') ? name.starts_with(other) : name == other;
  });
}

// A provider whose usual key variable is set needs no entry.
void AddUsualProviders(const Environment& environment, Loaded& loaded) {
  for (const UsualProvider& usual : UsualProviders()) {
    const char* key = environment(usual.variable);
    if (key == nullptr || *key == '\0' || loaded.config.models.providers.contains(usual.name)) {
      continue;
    }
    model::ProviderOptions provider;
    provider.api = usual.wire;
    provider.base_url = usual.base_url;
    provider.api_key = Secret(key);
    loaded.config.models.providers[usual.name] = std::move(provider);
    loaded.sources.push_back(usual.variable);
  }
}

bool NamesAModel(const Config& config) {
  if (!config.routing.primary.empty() || !config.models.catalog.empty()) return true;
  return std::ranges::any_of(config.models.providers,
                             [](const auto& named) { return !named.second.models.empty(); });
}

// A key alone must not leave its owner with the built-in model. What the configuration says of
// models comes first, whatever keys are in the environment.
void ChooseUsualModel(Loaded& loaded) {
  if (NamesAModel(loaded.config)) return;
  const auto& providers = loaded.config.models.providers;
  for (const UsualProvider& usual : UsualProviders()) {
    const auto found = providers.find(usual.name);
    if (found == providers.end() || found->second.api_key.empty()) continue;
    if (found->second.api != usual.wire || found->second.base_url != usual.base_url) continue;
    loaded.config.routing.primary = fmt::format("{}/{}", usual.name, usual.model);
    return;
  }
}

}  // namespace

void ApplyEnvironment(const Environment& environment, Loaded& loaded,
                      std::vector<std::string>& problems) {
  AddUsualProviders(environment, loaded);
  Overrides(environment, loaded, problems).Apply("TALON", loaded.config);
  // The short names people expect.
  Overrides overrides(environment, loaded, problems);
  overrides.Apply("TALON_GATEWAY_PORT", loaded.config.gateway.http.port);
  overrides.Apply("TALON_GATEWAY_BIND", loaded.config.gateway.http.bind);
  overrides.Apply("TALON_MODEL", loaded.config.routing.primary);
  ChooseUsualModel(loaded);
}

std::vector<std::string> UnknownVariables(const Loaded& loaded,
                                          const std::vector<std::string>& set) {
  std::vector<std::string_view> known(loaded.variables.begin(), loaded.variables.end());
  std::ranges::copy_if(kOthers, std::back_inserter(known),
                       [](std::string_view name) { return !name.ends_with('_'); });
  std::vector<std::string> lines;
  for (const std::string& name : set) {
    if (loaded.variables.contains(name) || ReadByOthers(name)) continue;
    const std::string_view nearest = Nearest(name, known);
    lines.push_back(fmt::format(
        "environment variable {}: nothing reads it; {}", name,
        nearest.empty() ? "TALON_<KEY> sets a key of talon.yaml, of an entry that is in it"
                        : fmt::format("did you mean {}?", nearest)));
  }
  return lines;
}

std::vector<std::string> TalonVariables() {
  std::vector<std::string> names;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (text.starts_with("TALON_")) names.emplace_back(text.substr(0, text.find('=')));
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace talon::config
