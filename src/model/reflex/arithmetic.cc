// SPDX-License-Identifier: Apache-2.0
#include "model/reflex/arithmetic.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/status.h"

namespace talon::model::reflex {
namespace {

constexpr std::size_t kMaxExpression = 1'000;  // bytes
constexpr int kMaxDepth = 64;

// Recursive descent; stops at the first error.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<double> Run() {
    const double value = Sum(0);
    Skip();
    if (status_.ok() && at_ < text_.size()) Fail("something follows it");
    if (status_.ok() && operators_ == 0) Fail("it has no operator");
    if (!status_.ok()) return status_;
    if (!std::isfinite(value)) return absl::OutOfRangeError("the result is too large");
    return value;
  }

 private:
  void Fail(std::string_view cause) {
    if (status_.ok()) status_ = InvalidArgument(fmt::format("no expression: {}", cause));
  }
  void Skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool Take(std::string_view sign) {
    Skip();
    if (!status_.ok() || !text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }
  bool TakeOperator(std::string_view ascii, std::string_view typographic = "") {
    if (!Take(ascii) && (typographic.empty() || !Take(typographic))) return false;
    ++operators_;
    return true;
  }

  double Sum(int depth) {
    double value = Product(depth);
    while (status_.ok()) {
      if (TakeOperator("+")) {
        value += Product(depth);
      } else if (TakeOperator("-", "−")) {
        value -= Product(depth);
      } else {
        break;
      }
    }
    return value;
  }

  double Product(int depth) {
    double value = Signed(depth);
    while (status_.ok()) {
      if (text_.substr(at_).starts_with("**")) break;
      if (TakeOperator("*", "×")) {
        value *= Signed(depth);
      } else if (TakeOperator("/", "÷")) {
        value /= NotZero(Signed(depth));
      } else if (TakeOperator("%")) {
        value = std::fmod(value, NotZero(Signed(depth)));
      } else {
        break;
      }
    }
    return value;
  }

  double NotZero(double divisor) {
    if (divisor == 0 && status_.ok()) status_ = absl::OutOfRangeError("division by zero");
    return divisor;
  }

  double Signed(int depth) {
    if (depth > kMaxDepth) {
      Fail("it is nested too deeply");
      return 0;
    }
    if (Take("-") || Take("−")) return -Signed(depth + 1);
    if (Take("+")) return Signed(depth + 1);
    const double base = Atom(depth);
    return status_.ok() && TakeOperator("^") ? std::pow(base, Signed(depth + 1)) : base;
  }

  double Atom(int depth) {
    if (Take("(")) {
      const double value = Sum(depth + 1);
      if (!Take(")")) Fail("a parenthesis is open");
      return value;
    }
    Skip();
    double value = 0;
    const char* begin = text_.data() + at_;
    const char* end = text_.data() + text_.size();
    if (begin == end || !((*begin >= '0' && *begin <= '9') || *begin == '.')) {
      Fail("a number is missing");
      return 0;
    }
    const auto [next, error] = std::from_chars(begin, end, value);
    if (error == std::errc::result_out_of_range) {
      if (status_.ok()) status_ = absl::OutOfRangeError("a number is too large");
    } else if (error != std::errc()) {
      Fail("a number is missing");
    }
    at_ += static_cast<std::size_t>(next - begin);
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int operators_ = 0;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<double> Evaluate(std::string_view text) {
  if (text.size() > kMaxExpression) return InvalidArgument("no expression: it is too long");
  return Parser(text).Run();
}

std::string FormatNumber(double value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (value == 0) return "0";
  if (std::trunc(value) == value && std::abs(value) <= kExact) return fmt::format("{:.0f}", value);
  return fmt::format("{:.12g}", value);
}

}  // namespace talon::model::reflex
