// SPDX-License-Identifier: Apache-2.0
#include "guard/schema_text.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/json_check.h"
#include "base/status.h"
#include "base/text.h"
#include "guard/guard.h"

namespace talon::guard {
namespace {

using OrderedJson = nlohmann::ordered_json;  // a model reads the properties in their author's order

constexpr std::size_t kShown = 80;

bool IsProse(std::string_view key) {
  for (const std::string_view prose :
       {"title", "description", "$comment", "examples", "example", "default"}) {
    if (key == prose) return true;
  }
  return false;
}

class Walker {
 public:
  // In `prose`, strings are mended; elsewhere they must be harmless as they are. The members of a
  // `map` ("properties") have names of their author's choice.
  absl::Status Walk(OrderedJson& node, bool prose, bool map) {
    if (node.is_string()) return Text(node, prose);
    if (node.is_array()) {
      for (OrderedJson& item : node) TALON_RETURN_IF_ERROR(Walk(item, prose, false));
      return absl::OkStatus();
    }
    if (!node.is_object()) return absl::OkStatus();
    for (auto& [key, value] : node.items()) {
      TALON_RETURN_IF_ERROR(CheckFixed(key));
      const bool opens_map =
          !map && (key == "properties" || key == "$defs" || key == "definitions");
      TALON_RETURN_IF_ERROR(Walk(value, prose || (!map && IsProse(key)), opens_map));
    }
    return absl::OkStatus();
  }
  bool changed() const { return changed_; }

 private:
  absl::Status Text(OrderedJson& node, bool prose) {
    const auto& text = node.get_ref<const std::string&>();
    if (!prose) return CheckFixed(text);
    std::string clean = SanitizeUntrusted(text, nullptr, HiddenText::kShow);
    if (clean == text) return absl::OkStatus();
    changed_ = true;
    node = std::move(clean);
    return absl::OkStatus();
  }

  static absl::Status CheckFixed(const std::string& text) {
    std::string clean = SanitizeUntrusted(text, nullptr);
    if (clean == text) return absl::OkStatus();
    return InvalidArgument(
        fmt::format("schema: '{}' reads as a call or holds characters that are not seen; rename it",
                    TruncateUtf8(clean, kShown)));
  }

  bool changed_ = false;
};

}  // namespace

absl::StatusOr<std::string> SanitizeSchema(std::string_view schema) {
  if (!IsJsonText(schema)) return std::string(schema);
  OrderedJson tree = OrderedJson::parse(schema, nullptr, /*allow_exceptions=*/false);
  if (tree.is_discarded()) return std::string(schema);
  Walker walker;
  TALON_RETURN_IF_ERROR(walker.Walk(tree, false, false));
  if (!walker.changed()) return std::string(schema);
  return tree.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace talon::guard
