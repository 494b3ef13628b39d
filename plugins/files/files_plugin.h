// SPDX-License-Identifier: Apache-2.0
// Tools read, write, edit, list and search, confined to the workspace.
#pragma once

#include <memory>

#include "talon/sdk/plugin.h"

namespace talon::plugins {

std::unique_ptr<sdk::Plugin> MakeFilesPlugin();

}  // namespace talon::plugins
