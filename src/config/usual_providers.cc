// SPDX-License-Identifier: Apache-2.0
#include "config/usual_providers.h"

namespace talon::config {
namespace {

using model::Wire;

constexpr UsualProvider kProviders[] = {
    {"ANTHROPIC_API_KEY", "anthropic", Wire::kAnthropic, "", "claude-sonnet-4-5"},
    {"OPENAI_API_KEY", "openai", Wire::kOpenAi, "", "gpt-5-mini"},
    {"GEMINI_API_KEY", "google", Wire::kGoogle, "", "gemini-2.5-flash"},
    {"GOOGLE_API_KEY", "google", Wire::kGoogle, "", "gemini-2.5-flash"},
    {"MISTRAL_API_KEY", "mistral", Wire::kOpenAi, "https://api.mistral.ai/v1",
     "mistral-medium-latest"},
    {"DEEPSEEK_API_KEY", "deepseek", Wire::kOpenAi, "https://api.deepseek.com", "deepseek-chat"},
    {"GROQ_API_KEY", "groq", Wire::kOpenAi, "https://api.groq.com/openai/v1",
     "openai/gpt-oss-120b"},
    {"OPENROUTER_API_KEY", "openrouter", Wire::kOpenAi, "https://openrouter.ai/api/v1",
     "openrouter/auto"},
};

}  // namespace

std::span<const UsualProvider> UsualProviders() {
  return kProviders;
}

}  // namespace talon::config
