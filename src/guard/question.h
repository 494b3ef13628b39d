// SPDX-License-Identifier: Apache-2.0
// What a tool asks the person, made safe to show: harmless text, a form of plain fields, a link
// that says where it leads. Refused rather than mended where a person could be misled: nested or
// unknown shapes, fields for secrets, links that are not https. Pure, any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "guard/options.h"
#include "tool/events.h"
#include "tool/schema.h"

namespace talon::guard {

struct AdmittedQuestion {
  std::string text;
  // A JSON Schema made anew: an object of "string", "integer", "number", "boolean" and lists of
  // choices, with "title", "description", "enum", "enumNames", "default" and limits; empty for yes
  // or no and with `url`.
  std::string schema;
  std::vector<std::string> fields;  // of the schema, in the order its author wrote them
  std::string url;
  std::shared_ptr<const tool::Schema> form;  // of `schema`; null without one
};

// Errors (InvalidArgument) are for the tool's author: they name the field and the rule.
absl::StatusOr<AdmittedQuestion> AdmitQuestion(const tool::Question& question,
                                               const GuardOptions& options);

// True for names such as "password", "apiKey" or "secret_token".
bool NamesSecret(std::string_view name);

}  // namespace talon::guard
