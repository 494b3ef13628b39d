// SPDX-License-Identifier: Apache-2.0
// Keys of an OpenTalon configuration that stand elsewhere here or not at all: data. Pure, any
// thread.
#pragma once

#include <string>
#include <string_view>

namespace talon::config {

// Where the key at `path` of an OpenTalon file stands here, when it stands elsewhere; else empty.
std::string MovedOpenTalonKey(std::string_view path);

// What such a key's value is called here: `insecure: true` is `mtls: off`.
std::string_view OpenTalonValue(std::string_view path, std::string_view value);

// Why there is no key at `path` here, and what to use instead; empty when nothing is known of it.
std::string_view MissingOpenTalonKey(std::string_view path);

}  // namespace talon::config
