// SPDX-License-Identifier: Apache-2.0
#include "examples/schedule_disk_watch/schedule_disk_watch.h"
#include "talon/sdk/serve.h"

int main(int argc, char** argv) {
  return talon::sdk::Serve(argc, argv, talon::examples::ScheduleDiskWatch());
}
