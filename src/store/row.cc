// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

namespace talon::store {

std::string Row::Text(std::size_t column) const {
  if (column >= columns_.size()) return {};
  if (const auto* text = std::get_if<std::string>(&columns_[column])) return *text;
  if (const auto* blob = std::get_if<Blob>(&columns_[column])) return blob->bytes;
  return {};
}

std::int64_t Row::Int(std::size_t column) const {
  if (column >= columns_.size()) return 0;
  if (const auto* integer = std::get_if<std::int64_t>(&columns_[column])) return *integer;
  return 0;
}

double Row::Real(std::size_t column) const {
  if (column >= columns_.size()) return 0;
  if (const auto* real = std::get_if<double>(&columns_[column])) return *real;
  return static_cast<double>(Int(column));
}

bool Row::IsNull(std::size_t column) const {
  return column >= columns_.size() || std::holds_alternative<std::monostate>(columns_[column]);
}

}  // namespace talon::store
