// SPDX-License-Identifier: Apache-2.0
// Where servers that speak Chat Completions differ in what they accept. Known by host; everything
// else gets what all of vLLM, llama.cpp, Ollama, LM Studio, OpenRouter and Groq take. Plain data.
#pragma once

#include <string_view>

namespace talon::model {

struct OpenAiDialect {
  bool max_completion_tokens = false;  // its models refuse max_tokens
  bool stream_options = true;          // refused by Mistral, which sends usage anyway
  bool user = true;                    // refused by Mistral
  bool nine_character_ids = false;     // Mistral: ^[a-zA-Z0-9]{9}$
  bool google_signatures = false;      // Gemini's thought signatures in extra_content
  bool empty_reasoning = false;        // DeepSeek: calls need reasoning_content even when empty
};

OpenAiDialect DialectOf(std::string_view base_url);

}  // namespace talon::model
