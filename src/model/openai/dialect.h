// SPDX-License-Identifier: Apache-2.0
// Where servers that speak Chat Completions differ in what they accept. Known by host and model, or
// configured; everything else gets what all of vLLM, llama.cpp, Ollama, LM Studio, OpenRouter and
// Groq take. Plain data.
#pragma once

#include <string_view>

#include "model/options.h"

namespace talon::model {

struct OpenAiDialect {
  bool max_completion_tokens = false;  // its models refuse max_tokens
  bool stream_options = true;          // refused by Mistral, which sends usage anyway
  bool user = true;                    // refused by Mistral
  bool nine_character_ids = false;     // Mistral: ^[a-zA-Z0-9]{9}$
  bool google_signatures = false;      // Gemini's thought signatures in extra_content
  bool empty_reasoning = false;        // DeepSeek: calls need reasoning_content even when empty
};

OpenAiDialect DialectOf(std::string_view base_url, const DialectOptions& options);
// For one of its models: behind a proxy the name is all there is to tell by.
bool WantsMaxCompletionTokens(const OpenAiDialect& dialect, const DialectOptions& options,
                              std::string_view model);

}  // namespace talon::model
