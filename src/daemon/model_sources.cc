// SPDX-License-Identifier: Apache-2.0
#include "daemon/model_sources.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "plugin/host.h"
#include "plugin/plugin_model.h"

namespace talon::daemon {
namespace {

using MadeSource = absl::StatusOr<std::unique_ptr<model::ModelSource>>;

class NoSource : public model::ModelSource {
 public:
  io::Task<absl::StatusOr<model::ChatResponse>> Complete(const model::ChatRequest&, CallContext,
                                                         model::DeltaSink*) override {
    co_return Unavailable("no plugin runs here");
  }
};

}  // namespace

model::MakeSource SourcesOf(plugin::Host& host) {
  return [&host](const std::string& provider, const model::ProviderOptions& options) {
    return MadeSource(plugin::MakePluginModel(host, options.plugin, provider));
  };
}

model::MakeSource NoSources() {
  return [](const std::string&, const model::ProviderOptions&) {
    return MadeSource(std::make_unique<NoSource>());
  };
}

bool HasPluginModels(const model::ModelsOptions& models) {
  return std::ranges::any_of(models.providers, [](const auto& provider) {
    return provider.second.api == model::Wire::kPlugin;
  });
}

model::ModelsOptions WithPluginModels(model::ModelsOptions models, const plugin::Host& host) {
  for (auto& [name, provider] : models.providers) {
    if (provider.api != model::Wire::kPlugin) continue;
    const plugin::Manifest* manifest = host.ManifestOf(provider.plugin);
    if (manifest == nullptr || !manifest->models) {
      log::Warn("the plugin of a model provider serves no models",
                {{"provider", name}, {"plugin", provider.plugin}});
    } else if (provider.models.empty()) {
      provider.models = plugin::ModelsOf(*manifest);
    }
  }
  return models;
}

}  // namespace talon::daemon
