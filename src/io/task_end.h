// SPDX-License-Identifier: Apache-2.0
// Tasks must not throw; one that does ends the process, loudly. Internal to io/.
#pragma once

#include <exception>

namespace talon::io {

// Completion of a spawned task.
void EndProcessOnException(std::exception_ptr error);

}  // namespace talon::io
