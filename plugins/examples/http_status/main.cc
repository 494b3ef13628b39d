// SPDX-License-Identifier: Apache-2.0
#include "examples/http_status/http_status.h"
#include "talon/sdk/serve.h"

int main(int argc, char** argv) {
  return talon::sdk::Serve(argc, argv, talon::examples::HttpStatus());
}
