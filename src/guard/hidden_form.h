// SPDX-License-Identifier: Apache-2.0
// What a page would not show or would load by itself: HTML comments, elements hidden by an
// attribute or a style, images from elsewhere in HTML and Markdown. Broken, they are shown and load
// nothing. Any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace talon::guard {

// As FindForm: the place for the mark. At '<': a comment or an image. At '!': an image. At a
// letter: an attribute that hides its element.
std::size_t FindHiddenForm(std::string_view text, std::size_t at);

}  // namespace talon::guard
