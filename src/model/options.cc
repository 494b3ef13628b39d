// SPDX-License-Identifier: Apache-2.0
#include "model/options.h"

#include <fmt/format.h>

#include "base/status.h"

namespace talon::model {

absl::Status ProviderOptions::Validate() const {
  std::map<std::string, std::size_t> first;
  for (std::size_t i = 0; i < models.size(); ++i) {
    if (models[i].id.empty()) {
      return InvalidArgument(fmt::format("models[{}]: it needs an `id`", i));
    }
    const auto [found, added] = first.emplace(models[i].id, i);
    if (!added) {
      return InvalidArgument(fmt::format("models[{}].id: models[{}] has this id too: '{}'", i,
                                         found->second, models[i].id));
    }
  }
  return absl::OkStatus();
}

}  // namespace talon::model
