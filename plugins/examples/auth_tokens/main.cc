// SPDX-License-Identifier: Apache-2.0
#include "examples/auth_tokens/auth_tokens.h"
#include "talon/sdk/serve.h"

int main(int argc, char** argv) {
  return talon::sdk::Serve(argc, argv, talon::examples::AuthTokens());
}
