// SPDX-License-Identifier: Apache-2.0
// The extension point ModelProvider: a plugin as a source of models. Loop's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/options.h"
#include "model/source.h"
#include "plugin/host.h"

namespace talon::plugin {

// `host` must outlive it. `provider`: the name in the configuration; reasoning goes back to it
// only.
std::unique_ptr<model::ModelSource> MakePluginModel(Host& host, std::string plugin,
                                                    std::string provider);

// The models a manifest names, with what it says of them.
std::vector<model::ModelEntry> ModelsOf(const Manifest& manifest);

}  // namespace talon::plugin
