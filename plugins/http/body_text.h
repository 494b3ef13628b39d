// SPDX-License-Identifier: Apache-2.0
// The body of a response as text for a model. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

namespace talon::plugins {

enum class BodyForm { kAsSent, kReadable };

// UTF-8 text of `body` by its content type (and charset). kReadable reduces HTML to text. A note
// such as "[image/png, 12.0 KB: not shown]" for what is no text.
std::string BodyText(const std::string& body, std::string_view content_type, BodyForm form);

}  // namespace talon::plugins
