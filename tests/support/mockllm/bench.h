// SPDX-License-Identifier: Apache-2.0
// Answers at the least cost: no document is built for the request, the answers are joined from
// ready pieces. The first `rounds` requests of a turn that offer tools are answered with the one
// tool call given, the next with a short text. Loop's thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/http_server.h"
#include "request.h"

namespace talon::mockllm {

struct BenchOptions {
  std::string tool;  // empty: never call one
  std::string args = "{}";
  std::string text = "ok";
  int rounds = 1;
};

// Model answers since the last message a person wrote, read off the raw body of any wire.
int RoundOf(std::string_view body);

class BenchAnswers {
 public:
  explicit BenchAnswers(const BenchOptions& options);
  io::ServerResponse Answer(const io::ServerRequest& request);
  std::uint64_t requests() const { return requests_; }

 private:
  // The answer around the id of its call.
  struct Ready {
    std::string before, after;
  };
  struct WireAnswers {
    Ready call, call_stream, text, text_stream;
  };
  WireAnswers& For(Wire wire);

  const BenchOptions options_;
  WireAnswers openai_, anthropic_, google_;
  std::uint64_t requests_ = 0;
};

}  // namespace talon::mockllm
