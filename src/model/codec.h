// SPDX-License-Identifier: Apache-2.0
// Messages as JSON text for the journal, lossless (labels travel in their own columns). Any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/types.h"

namespace talon::model {

// {"role":…,"parts":[…]}
std::string EncodeMessage(const Message& message);
absl::StatusOr<Message> DecodeMessage(std::string_view json);

std::string EncodeUsage(const Usage& usage);
absl::StatusOr<Usage> DecodeUsage(std::string_view json);

}  // namespace talon::model
