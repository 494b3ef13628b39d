// SPDX-License-Identifier: Apache-2.0
// HTML to text a model reads: headings, paragraphs, lists, links and table rows as light markdown;
// scripts, styles, tags and elements that attributes hide gone. Not a browser: no layout, no
// scripts. Linear, any input, memory in proportion to it. Pure function, any thread.
#pragma once

#include <string>
#include <string_view>

namespace talon::plugins {

std::string HtmlToText(std::string_view html);

}  // namespace talon::plugins
