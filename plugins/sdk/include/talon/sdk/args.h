// SPDX-License-Identifier: Apache-2.0
// The arguments of one call, or the configuration of a plugin: a JSON object that has been checked
// against its Schema. A getter answers its fallback when the member is absent. Immutable.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace talon::sdk {

class Args {
 public:
  Args();  // an empty object
  // InvalidArgument when `text` is no JSON object or nests deeper than 64 levels; `what` names it.
  static absl::StatusOr<Args> Parse(std::string_view text, std::string_view what);

  bool Has(std::string_view name) const;
  std::string String(std::string_view name, std::string_view fallback = "") const;
  long Int(std::string_view name, long fallback = 0) const;
  double Double(std::string_view name, double fallback = 0) const;
  bool Bool(std::string_view name, bool fallback = false) const;
  // Elements and members that are no strings are left out.
  std::vector<std::string> Strings(std::string_view name) const;
  std::map<std::string, std::string> StringMap(std::string_view name) const;

  // For what the getters do not cover; include <nlohmann/json.hpp>.
  const nlohmann::json& json() const { return *json_; }

 private:
  explicit Args(std::shared_ptr<const nlohmann::json> json) : json_(std::move(json)) {}
  std::shared_ptr<const nlohmann::json> json_;  // shared by copies, never changed
};

}  // namespace talon::sdk
