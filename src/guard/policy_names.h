// SPDX-License-Identifier: Apache-2.0
// The words of a policy file.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "guard/policy.h"

namespace talon::guard {

inline constexpr std::array kSinkNames = {
    std::pair{std::string_view("recipient"), SinkKind::kRecipient},
    std::pair{std::string_view("url"), SinkKind::kUrl},
    std::pair{std::string_view("path"), SinkKind::kPath},
    std::pair{std::string_view("command"), SinkKind::kCommand},
    std::pair{std::string_view("amount"), SinkKind::kAmount},
    std::pair{std::string_view("value"), SinkKind::kValue}};

inline constexpr std::array kSourceNames = {
    std::pair{std::string_view("user"), Source::kUser},
    std::pair{std::string_view("operator"), Source::kOperator},
    std::pair{std::string_view("trusted"), Source::kTrusted},
    std::pair{std::string_view("list"), Source::kList},
    std::pair{std::string_view("folder"), Source::kFolder},
    std::pair{std::string_view("model"), Source::kModel},
    std::pair{std::string_view("untrusted"), Source::kUntrusted}};

inline constexpr std::array kAnswerNames = {std::pair{std::string_view("allow"), Answer::kAllow},
                                            std::pair{std::string_view("ask"), Answer::kAsk},
                                            std::pair{std::string_view("refuse"), Answer::kRefuse}};

inline constexpr std::array kFactorNames = {std::pair{std::string_view("none"), Factor::kNone},
                                            std::pair{std::string_view("click"), Factor::kClick},
                                            std::pair{std::string_view("code"), Factor::kCode}};

}  // namespace talon::guard
