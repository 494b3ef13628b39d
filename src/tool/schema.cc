// SPDX-License-Identifier: Apache-2.0
// The one file that includes valijson; its exceptions end here (without the macro it would abort).
#define VALIJSON_USE_EXCEPTIONS 1
#include "tool/schema.h"

#include <re2/re2.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "tool/schema_fit.h"
#include "tool/schema_rewrite.h"

namespace talon::tool {
namespace {

constexpr std::size_t kMaxSchemaBytes = 64 << 10;
constexpr std::size_t kMaxUniqueItems = 1'000;  // comparing them is quadratic

using Adapter = valijson::adapters::NlohmannJsonAdapter;

class PatternConstraint : public valijson::constraints::PolyConstraint {
 public:
  explicit PatternConstraint(std::shared_ptr<const RE2> pattern) : pattern_(std::move(pattern)) {}

  bool validate(const valijson::adapters::Adapter& target, const std::vector<std::string>& context,
                valijson::ValidationResults* results) const override {
    std::string text;
    if (!target.isString() || !target.getString(text) || RE2::PartialMatch(text, *pattern_)) {
      return true;
    }
    if (results != nullptr) {
      results->pushError(context, fmt::format("must match the pattern {}", pattern_->pattern()));
    }
    return false;
  }

 private:
  valijson::constraints::Constraint* cloneInto(void* memory) const override {
    return new (memory) PatternConstraint(*this);
  }
  std::size_t sizeOf() const override { return sizeof(PatternConstraint); }

  std::shared_ptr<const RE2> pattern_;  // shared: the validator clones its constraints
};

class PatternBuilder : public valijson::ConstraintBuilder {
 public:
  valijson::constraints::Constraint* make(const valijson::adapters::Adapter& value) const override {
    std::string text;
    if (!value.isString() || !value.getString(text)) {
      throw std::invalid_argument("'pattern' must be a string");
    }
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);
    auto pattern = std::make_shared<const RE2>(text, options);
    if (!pattern->ok()) {
      throw std::invalid_argument(fmt::format("'pattern' {}: {}", text, pattern->error()));
    }
    return new PatternConstraint(std::move(pattern));
  }
};

// ["<root>", "[a]", "[b]", "[0]"] as "a.b[0]".
std::string PathText(const std::vector<std::string>& context) {
  std::string path;
  for (std::size_t i = 1; i < context.size(); ++i) {
    std::string_view part = context[i];
    if (part.size() >= 2) part = part.substr(1, part.size() - 2);
    const bool index = !part.empty() && std::all_of(part.begin(), part.end(),
                                                    [](char c) { return c >= '0' && c <= '9'; });
    if (index) {
      path += fmt::format("[{}]", part);
    } else {
      path += fmt::format("{}{}", path.empty() ? "" : ".", part);
    }
  }
  return path;
}

std::size_t LongestArray(const Json& value) {
  std::size_t longest = value.is_array() ? value.size() : 0;
  if (value.is_structured()) {
    for (const Json& part : value) longest = std::max(longest, LongestArray(part));
  }
  return longest;
}

class ValijsonSchema : public Schema {
 public:
  ValijsonSchema(Json plain) : plain_(std::move(plain)), unique_(AsksForUniqueItems(plain_)) {
    names_ = PropertyNames(plain_);
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.addConstraintBuilder(kPatternKeyword, new PatternBuilder);  // the parser owns it
    parser.populateSchema(Adapter(plain_), compiled_);
  }

  absl::Status Validate(std::string_view arguments, std::string* coerced) const override {
    const std::string_view text = TrimSpace(arguments);
    auto value = ParseJson(text.empty() ? "{}" : text, "arguments");
    if (!value.ok()) return Invalid(Message(value.status()));
    if (value->is_null()) *value = Json::object();
    TALON_RETURN_IF_ERROR(FitArguments(plain_, *value));
    if (unique_ && LongestArray(*value) > kMaxUniqueItems) {
      return Invalid(fmt::format("a list of distinct items has more than {}", kMaxUniqueItems));
    }
    try {
      TALON_RETURN_IF_ERROR(CheckCompiled(*value));
    } catch (const std::exception& error) {
      return Invalid(fmt::format("checking the arguments failed: {}", error.what()));
    }
    *coerced = DumpJson(*value);
    return absl::OkStatus();
  }

  const std::vector<std::string>& property_names() const override { return names_; }

 private:
  static absl::Status Invalid(std::string_view message) {
    return MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArguments, message);
  }

  absl::Status CheckCompiled(const Json& value) const {
    valijson::Validator validator;
    const Adapter target(value);
    if (validator.validate(compiled_, target, nullptr)) return absl::OkStatus();
    valijson::ValidationResults results;
    validator.validate(compiled_, target, &results);
    valijson::ValidationResults::Error error;
    if (!results.popError(error)) return Invalid("the arguments do not fit the schema");
    const std::string path = PathText(error.context);
    return Invalid(fmt::format("{}: {}",
                               path.empty() ? "the arguments" : fmt::format("argument '{}'", path),
                               TruncateUtf8(ToLowerAscii(error.description), 300)));
  }

  Json plain_;
  bool unique_;
  std::vector<std::string> names_;
  valijson::Schema compiled_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Schema>> Schema::Compile(std::string_view text) {
  if (TrimSpace(text).empty()) text = R"({"type":"object"})";
  if (text.size() > kMaxSchemaBytes) {
    return InvalidArgument(
        fmt::format("schema has {} bytes; at most {} are allowed", text.size(), kMaxSchemaBytes));
  }
  TALON_ASSIGN_OR_RETURN(const Json parsed, ParseJson(text, "schema"));
  if (!parsed.is_object()) return InvalidArgument("schema is no object");
  TALON_ASSIGN_OR_RETURN(Json plain, RewriteSchema(parsed));
  if (const Json* type = JsonFind(plain, "type"); type == nullptr) {
    plain["type"] = "object";
  } else if (*type != "object") {
    return InvalidArgument("schema must have the type object");
  }
  try {
    return std::make_shared<const ValijsonSchema>(std::move(plain));
  } catch (const std::exception& error) {
    return InvalidArgument(fmt::format("schema cannot be used: {}", error.what()));
  }
}

}  // namespace talon::tool
