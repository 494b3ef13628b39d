// SPDX-License-Identifier: Apache-2.0
#include "config/environment.h"

#include <fmt/format.h>

#include "base/text.h"
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
          (Apply(prefix + "_" + Upper(std::string(field.name)), out.*(field.member)), ...);
        },
        T::Fields());
  }
  template <class T>
  void Apply(const std::string& prefix, std::map<std::string, T>& out) {
    if constexpr (OptionStruct<T>) {
      for (auto& [key, value] : out) Apply(prefix + "_" + Upper(key), value);
    }
  }
  template <class T>
  void Apply(const std::string&, std::vector<T>&) {}
  void Apply(const std::string&, JsonText&) {}
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
  const Environment& environment_;
  Loaded& loaded_;
  std::vector<std::string>& problems_;
};

// A provider whose usual key variable is set needs no entry.
void AddUsualProviders(const Environment& environment, Loaded& loaded) {
  struct Usual {
    const char* variable;
    const char* name;
    model::Wire wire;
  };
  for (const Usual& usual : {Usual{"OPENAI_API_KEY", "openai", model::Wire::kOpenAi},
                             Usual{"ANTHROPIC_API_KEY", "anthropic", model::Wire::kAnthropic},
                             Usual{"GEMINI_API_KEY", "google", model::Wire::kGoogle}}) {
    const char* key = environment(usual.variable);
    if (key == nullptr || *key == '\0' || loaded.config.models.providers.contains(usual.name)) {
      continue;
    }
    model::ProviderOptions provider;
    provider.api = usual.wire;
    provider.api_key = Secret(key);
    loaded.config.models.providers[usual.name] = std::move(provider);
    loaded.sources.push_back(usual.variable);
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
}

}  // namespace talon::config
