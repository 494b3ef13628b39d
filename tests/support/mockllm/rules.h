// SPDX-License-Identifier: Apache-2.0
// A script in use: counts requests and says what each is answered. No I/O; not thread-safe.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "io/http_types.h"
#include "request.h"
#include "script.h"

namespace talon::mockllm {

// An answer ready to be sent.
struct Reply {
  int status = 200;
  io::Headers headers;
  std::vector<std::string> pieces;  // of the body; several only where `streamed`
  bool streamed = false;
  Delivery delivery;
  std::string source;  // what of the script gave it: "rule 2", "echo", …
};

class ScriptRun {
 public:
  explicit ScriptRun(Script script);

  const Script& script() const { return script_; }
  Reply Decide(const io::ServerRequest& http, const Json& body, const ModelRequest& request);

 private:
  bool Fits(const Match& match, const ModelRequest& request) const;
  Reply ByRule(const Rule& rule, const ModelRequest& request);
  Reply Otherwise(const ModelRequest& request);
  Reply Give(Answer answer, const ModelRequest& request, const Delivery& delivery);
  void Fill(std::string& text, const ModelRequest& request) const;

  const Script script_;
  std::vector<int> rule_uses_, exchange_uses_;
  int requests_ = 0;
  int calls_ = 0;
};

// The wire's error answer for `fault`.
Reply FaultReply(Wire wire, const Fault& fault);

}  // namespace talon::mockllm
