// SPDX-License-Identifier: Apache-2.0
// Plugins as model providers: where model/ and plugin/ meet. Loop's thread.
#pragma once

#include "model/options.h"
#include "model/source.h"

namespace talon::plugin {
class Host;
}

namespace talon::daemon {

// `host` must outlive the sources.
model::MakeSource SourcesOf(plugin::Host& host);

// Where only the configuration is looked at: sources that never answer.
model::MakeSource NoSources();

// Providers that are plugins offer what their manifests name when the configuration names nothing.
bool HasPluginModels(const model::ModelsOptions& models);
model::ModelsOptions WithPluginModels(model::ModelsOptions models, const plugin::Host& host);

}  // namespace talon::daemon
