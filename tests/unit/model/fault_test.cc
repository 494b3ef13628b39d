// SPDX-License-Identifier: Apache-2.0
// What providers really say, and what it means.
#include "model/fault.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace talon::model {
namespace {

struct Row {
  const char* who;
  int http_status;
  const char* body;
  ErrorReason reason;
};

const Row kRows[] =
    {
        {"OpenAI", 401,
         R"({"error":{"message":"Incorrect API key provided: sk-x.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})",
         ErrorReason::kAuth},
        {"OpenAI", 429,
         R"({"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}})",
         ErrorReason::kQuota},
        {"OpenAI", 429,
         R"({"error":{"message":"Rate limit reached for gpt-4o in organization o on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}})",
         ErrorReason::kRateLimited},
        {"OpenAI", 429,
         R"({"error":{"message":"Request too large for gpt-4o in organization o on tokens per min (TPM): Limit 30000, Requested 90000.","type":"tokens","code":"rate_limit_exceeded"}})",
         ErrorReason::kContextTooLong},
        {"OpenAI", 400,
         R"({"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})",
         ErrorReason::kContextTooLong},
        {"OpenAI", 400,
         R"({"error":{"message":"Invalid type for 'temperature'","type":"invalid_request_error","param":"temperature","code":"invalid_type"}})",
         ErrorReason::kBadRequest},
        {"OpenAI", 404,
         R"({"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","code":"model_not_found"}})",
         ErrorReason::kUnknownModel},
        {"OpenAI", 500,
         R"({"error":{"message":"The server had an error while processing your request.","type":"server_error","code":null}})",
         ErrorReason::kOverloaded},
        {"Azure", 400,
         R"({"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400}})",
         ErrorReason::kContentFiltered},
        {"Anthropic", 400,
         R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"},"request_id":"r"})",
         ErrorReason::kContextTooLong},
        {"Anthropic", 400,
         R"({"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 21333 > 204698, decrease input length or `max_tokens` and try again"}})",
         ErrorReason::kContextTooLong},
        {"Anthropic", 400,
         R"({"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}})",
         ErrorReason::kQuota},
        {"Anthropic", 401,
         R"({"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}})",
         ErrorReason::kAuth},
        {"Anthropic", 413,
         R"({"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}})",
         ErrorReason::kContextTooLong},
        {"Anthropic", 429,
         R"({"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 40,000 input tokens per minute"}})",
         ErrorReason::kRateLimited},
        {"Anthropic", 529,
         R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})",
         ErrorReason::kOverloaded},
        {"Anthropic stream", 200,
         R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})",
         ErrorReason::kOverloaded},
        {"Anthropic", 404,
         R"({"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}})",
         ErrorReason::kUnknownModel},
        {"Gemini", 400,
         R"({"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}})",
         ErrorReason::kAuth},
        {"Gemini", 400,
         R"({"error":{"code":400,"message":"The input token count (1055239) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}})",
         ErrorReason::kContextTooLong},
        {"Gemini", 429,
         R"([{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}])",
         ErrorReason::kRateLimited},
        {"Gemini", 429,
         R"({"error":{"code":429,"message":"You exceeded your current quota.","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}})",
         ErrorReason::kQuota},
        {"Gemini", 503,
         R"({"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}})",
         ErrorReason::kOverloaded},
        {"Gemini", 403,
         R"({"error":{"code":403,"message":"Method doesn't allow unregistered callers","status":"PERMISSION_DENIED"}})",
         ErrorReason::kAuth},
        {"Gemini", 404,
         R"({"error":{"code":404,"message":"models/gemini-9 is not found for API version v1beta","status":"NOT_FOUND"}})",
         ErrorReason::kUnknownModel},
        {"vLLM", 400,
         R"({"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens","type":"BadRequestError","param":null,"code":400})",
         ErrorReason::kContextTooLong},
        {"vLLM", 400,
         R"({"error":{"message":"The decoder prompt (length 5000) is longer than the maximum model length of 4096.","type":"BadRequestError","param":null,"code":400}})",
         ErrorReason::kContextTooLong},
        {"vLLM", 404,
         R"({"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404})",
         ErrorReason::kUnknownModel},
        {"llama.cpp", 400,
         R"({"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":14429,"n_ctx":8192}})",
         ErrorReason::kContextTooLong},
        {"llama.cpp", 503,
         R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})",
         ErrorReason::kOverloaded},
        {"Ollama", 404, R"({"error":"model 'llama9' not found, try pulling it first"})",
         ErrorReason::kUnknownModel},
        {"Ollama", 400,
         R"({"error":{"message":"invalid character in request","type":"api_error","param":null,"code":null}})",
         ErrorReason::kBadRequest},
        {"Ollama", 400, R"({"error":"the input length exceeds the context length"})",
         ErrorReason::kContextTooLong},
        {"LM Studio", 400,
         R"({"error":"Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens"})",
         ErrorReason::kContextTooLong},
        {"LM Studio", 500, R"({"error":"Context size has been exceeded."})",
         ErrorReason::kContextTooLong},
        {"LM Studio", 400,
         R"({"error":"The number of tokens to keep from the initial prompt is greater than the context length."})",
         ErrorReason::kContextTooLong},
        {"OpenRouter", 402,
         R"({"error":{"message":"Insufficient credits. Add more using https://openrouter.ai/credits","code":402}})",
         ErrorReason::kQuota},
        {"OpenRouter", 403,
         R"({"error":{"code":403,"message":"Your input was flagged: requires moderation","metadata":{"reasons":["violence"]}}})",
         ErrorReason::kContentFiltered},
        {"OpenRouter", 400,
         R"({"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":\"This endpoint's maximum context length is 131072 tokens.\"}","provider_name":"X"}}})",
         ErrorReason::kContextTooLong},
        {"OpenRouter in a 200", 200, R"({"error":{"code":429,"message":"Rate limited upstream"}})",
         ErrorReason::kRateLimited},
        {"OpenRouter in a 200", 200, R"({"error":{"code":502,"message":"Provider disconnected"}})",
         ErrorReason::kOverloaded},
        {"Mistral", 400, R"({"object":"error","message":"Prompt contains 34000 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_error","param":null,"code":"3051"})",
         ErrorReason::kContextTooLong},
        {"Mistral", 401, R"({"message":"Unauthorized","request_id":"x"})", ErrorReason::kAuth},
        {"Mistral", 422,
         R"({"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","user"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error"})",
         ErrorReason::kBadRequest},
        {"Groq", 413,
         R"({"error":{"message":"Request too large for model `llama` on tokens per minute (TPM): Limit 6000, Requested 7000","type":"tokens","code":"rate_limit_exceeded"}})",
         ErrorReason::kContextTooLong},
        {"Groq", 400,
         R"({"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})",
         ErrorReason::kContextTooLong},
        {"DeepSeek", 402,
         R"({"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}})",
         ErrorReason::kQuota},
        {"DeepSeek", 400,
         R"({"error":{"message":"This model's maximum context length is 65536 tokens. However, you requested 70000 tokens","type":"invalid_request_error"}})",
         ErrorReason::kContextTooLong},
        {"FastAPI", 422, R"({"detail":[{"loc":["body"],"msg":"field required"}]})",
         ErrorReason::kBadRequest},
        {"Bedrock", 429, R"({"message":"Too many tokens, please wait before trying again."})",
         ErrorReason::kRateLimited},
        {"a proxy", 502, "<html><body>Bad gateway</body></html>", ErrorReason::kOverloaded},
        {"a proxy", 504, "", ErrorReason::kOverloaded},
        {"a proxy", 404, "404 page not found", ErrorReason::kBadRequest},
        {"a proxy", 408, "", ErrorReason::kTransport},
        {"somebody in a stream", 200, R"({"error":{"message":"boom"}})", ErrorReason::kTransport},
};

TEST(FaultTest, EveryProvidersErrorsFindTheirPlace) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(std::string(row.who) + " " + std::to_string(row.http_status) + " " + row.body);
    Fault fault = row.http_status == 200 ? FindFault(Json::parse(row.body)).value_or(Fault{})
                                         : FaultOfBody(row.http_status, row.body);
    EXPECT_EQ(ErrorReasonName(Classify(fault)), ErrorReasonName(row.reason));
  }
}

TEST(FaultTest, OrdinaryDocumentsAreNone) {
  for (const char* text : {R"({"choices":[]})", R"({"error":null,"choices":[]})",
                           R"({"type":"message"})", "[]", "5", "null", R"("error")"}) {
    EXPECT_FALSE(FindFault(Json::parse(text)).has_value()) << text;
  }
}

TEST(FaultTest, TextNamesTheModelAndQuotesAtMost300RedactedBytes) {
  Redactor redactor;
  redactor.Register(Secret("sk-very-secret"));
  Fault fault = FaultOfBody(401, R"({"error":{"message":"bad\n\tkey sk-very-secret )" +
                                     std::string(1000, 'x') + R"(","code":"invalid_api_key"}})");
  absl::Status status = FaultStatus(fault, {"openai", "gpt-x"}, redactor);
  std::string text(talon::Message(status));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(
      text.starts_with("model 'openai/gpt-x': the credential was refused (HTTP 401): "
                       "'bad key [redacted] xxx"))
      << text;
  EXPECT_EQ(text.find("sk-very"), std::string::npos);
  std::size_t first = text.find("'bad"), last = text.find('\'', first + 1);
  EXPECT_EQ(last - first - 1, 300u);
}

TEST(FaultTest, ASecretAcrossTheCutDoesNotLeak) {
  Redactor redactor;
  redactor.Register(Secret("sk-very-secret"));
  for (std::size_t before = 285; before < 302; ++before) {
    Fault fault;
    fault.message = std::string(before, 'x') + "sk-very-secret";
    std::string text(talon::Message(FaultStatus(fault, {"p", "m"}, redactor)));
    EXPECT_EQ(text.find("sk-"), std::string::npos) << before;
  }
}

TEST(FaultTest, ReadsGeminisRetryDelay) {
  Fault fault = FaultOfBody(
      429, R"({"error":{"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"34.5s"}]}})");
  Redactor redactor;
  EXPECT_EQ(RetryAfterMsOf(FaultStatus(fault, {"p", "m"}, redactor)), 34'500);
  for (const char* odd : {"\"inf\"", "\"-3s\"", "\"1e999s\"", "{}", "\"nan\""}) {
    fault = FaultOfBody(429, std::string(R"({"error":{"details":[{"retryDelay":)") + odd + "}]}}");
    EXPECT_EQ(RetryAfterMsOf(FaultStatus(fault, {"p", "m"}, redactor)), 0) << odd;
  }
}

}  // namespace
}  // namespace talon::model
