// SPDX-License-Identifier: Apache-2.0
// A tool's parameters as the reflex model sees them: by what their names promise. Any thread.
#pragma once

#include <string>
#include <vector>

#include "model/types.h"

namespace talon::model::reflex {

enum class ParameterKind { kPath, kUrl, kText, kWord, kMethod, kNumber, kBoolean, kOther };

struct Parameter {
  std::string name;
  ParameterKind kind = ParameterKind::kOther;
  bool required = false;
  bool integer = false;
  std::vector<std::string> choices;  // enum
};

// Required ones first, in the order the schema names them. Empty when the schema is unreadable.
std::vector<Parameter> ParametersOf(const ToolDefinition& tool);

// {"path": "…", …} with every required parameter, to show the form.
std::string ExampleArguments(const std::vector<Parameter>& parameters);

}  // namespace talon::model::reflex
