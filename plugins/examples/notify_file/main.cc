// SPDX-License-Identifier: Apache-2.0
#include "examples/notify_file/notify_file.h"
#include "talon/sdk/serve.h"

int main(int argc, char** argv) {
  return talon::sdk::Serve(argc, argv, talon::examples::NotifyFile());
}
