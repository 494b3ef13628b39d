// SPDX-License-Identifier: Apache-2.0
#include "examples/storage_files/storage_files.h"
#include "talon/sdk/serve.h"

int main(int argc, char** argv) {
  return talon::sdk::Serve(argc, argv, talon::examples::StorageFiles());
}
