// SPDX-License-Identifier: Apache-2.0
// The tools the core itself offers to models: paging through artifacts and loading tool schemas.
#pragma once

#include "absl/status/status.h"
#include "journal/journal.h"
#include "tool/catalogue.h"

namespace talon::agent {

// Both must outlive the catalogue's tools.
absl::Status AddCoreTools(tool::Catalogue& catalogue, journal::Journal& journal);

}  // namespace talon::agent
