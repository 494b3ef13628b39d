// SPDX-License-Identifier: Apache-2.0
// The turns of speech with which English leads to an argument. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "model/reflex/texts.h"

namespace talon::model::reflex {

bool In(std::initializer_list<std::string_view> list, std::string_view word);

// Whether a path may follow `words` (not empty); where one is required, more words lead to it.
bool LeadsToPath(const Words& words, bool required);

// ": ls" and "the command ls" are "ls"; "the tests" is no command and gives nothing.
std::string_view CommandOf(std::string_view text);

// "a file … with the text x" and "for the word x?" are "x".
std::string_view FreeTextOf(std::string_view text);

// "it", "the result": what another step gave.
bool IsReference(std::string_view text);

// Blanks a part of `text`, with a preposition that leads to it.
void BlankPart(std::string& text, std::size_t begin, std::size_t end);

}  // namespace talon::model::reflex
