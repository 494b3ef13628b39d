// SPDX-License-Identifier: Apache-2.0
// Arguments made up from a tool's JSON Schema. Pure, any thread.
#pragma once

#include <optional>
#include <string>

namespace talon::plugin::check {

struct Samples {
  std::string fitting;     // a small object that the schema accepts
  std::string unicode;     // the same with texts beyond ASCII; empty when it takes no free text
  std::string missing;     // without a required argument; empty when there is none
  std::string wrong_type;  // one argument of another type; empty when none has a type
};

// Nothing when no fitting object could be made up.
std::optional<Samples> MakeSamples(const std::string& schema);

}  // namespace talon::plugin::check
