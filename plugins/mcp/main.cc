// SPDX-License-Identifier: Apache-2.0
#include "mcp/mcp_plugin.h"
#include "talon/sdk/serve.h"

int main(int argc, char** argv) {
  return talon::sdk::Serve(argc, argv, *talon::plugins::MakeMcpPlugin());
}
