// SPDX-License-Identifier: Apache-2.0
// What is known of where a piece of data came from and who may read it. The label of a derived
// thing is the join of its parts. Labels are stored with every message, result and artifact. Any
// thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace talon {

// Ordered: a join takes the larger, that is, the less trusted value.
enum class Integrity {
  kSystem = 0,     // the core and its prompt files
  kUser = 1,       // the authenticated user's own words
  kTrusted = 2,    // sources the operator declared trusted
  kUntrusted = 3,  // everything else: tool output, web, files, other agents
};

struct Label {
  Integrity integrity = Integrity::kUntrusted;
  // Users who may read; empty means the session's own user only.
  std::vector<std::string> readers;
  bool operator==(const Label&) const = default;
};

std::string_view IntegrityName(Integrity integrity);
absl::StatusOr<Integrity> ParseIntegrity(std::string_view name);

// Integrity: the less trusted. Readers: the intersection (empty stays empty: session's user only).
Label Join(const Label& a, const Label& b);

// Readers as one comma-separated column and back.
std::string ReadersToText(const Label& label);
Label MakeLabel(Integrity integrity, std::string_view readers_text);

}  // namespace talon
