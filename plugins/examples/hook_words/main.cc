// SPDX-License-Identifier: Apache-2.0
#include "examples/hook_words/hook_words.h"
#include "talon/sdk/serve.h"

int main(int argc, char** argv) {
  return talon::sdk::Serve(argc, argv, talon::examples::HookWords());
}
