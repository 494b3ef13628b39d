// SPDX-License-Identifier: Apache-2.0
// The tools the core itself offers to models: paging through artifacts and loading tool schemas.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "journal/journal.h"
#include "tool/catalogue.h"

namespace talon::agent {

// Both must outlive the catalogue's tools. `max_result`: bytes of a result that reach the model
// uncut; a page of an artifact stays below.
absl::Status AddCoreTools(tool::Catalogue& catalogue, journal::Journal& journal,
                          std::size_t max_result);

}  // namespace talon::agent
