// SPDX-License-Identifier: Apache-2.0
#include "io/task_end.h"

#include "base/check.h"
#include "base/log.h"

namespace talon::io {

void EndProcessOnException(std::exception_ptr error) {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    log::Error("a task threw an exception", {{"what", e.what()}});
  } catch (...) {
    log::Error("a task threw something that is no std::exception");
  }
  CheckFailed("tasks do not throw", __FILE__, __LINE__);
}

}  // namespace talon::io
