// SPDX-License-Identifier: Apache-2.0
// An answer in the form of each wire, whole or as server-sent events, and each wire's errors. Pure
// functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "request.h"
#include "script.h"

namespace talon::mockllm {

// What differs from answer to answer besides its content.
struct Identity {
  std::string response_id;
  std::string model;
};

std::string WholeOpenAi(const Answer& answer, const Identity& identity);
std::string WholeAnthropic(const Answer& answer, const Identity& identity);
std::string WholeGoogle(const Answer& answer, const Identity& identity);

// One string an event, wire form.
std::vector<std::string> EventsOpenAi(const Answer& answer, const Identity& identity,
                                      const Delivery& delivery, bool include_usage);
std::vector<std::string> EventsAnthropic(const Answer& answer, const Identity& identity,
                                         const Delivery& delivery);
std::vector<std::string> EventsGoogle(const Answer& answer, const Identity& identity,
                                      const Delivery& delivery);

std::string ErrorOpenAi(const Fault& fault);
std::string ErrorAnthropic(const Fault& fault);
std::string ErrorGoogle(const Fault& fault);

// `text` in pieces of about `bytes` that split no character; one piece when 0.
std::vector<std::string> Pieces(std::string_view text, int bytes);

// JSON arguments as a value; text that is no JSON object becomes {}.
Json ArgumentsOf(const Call& call);

}  // namespace talon::mockllm
