// SPDX-License-Identifier: Apache-2.0
#include "model/google/request.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace talon::model {
namespace {

constexpr int kFirstSigning = 300;
// Documented stand-in for the signature of a call that another model made.
constexpr std::string_view kForeignCall = "skip_thought_signature_validator";

int BudgetOf(ReasoningEffort effort, bool pro) {
  switch (effort) {
    case ReasoningEffort::kOff:
      return pro ? 128 : 0;  // 2.5 Pro cannot be kept from thinking
    case ReasoningEffort::kLow:
      return 1024;
    case ReasoningEffort::kMedium:
      return 8192;
    default:
      return 24'576;
  }
}

std::string_view LevelOf(ReasoningEffort effort, int version, bool flash) {
  switch (effort) {
    case ReasoningEffort::kOff:
      return flash ? "minimal" : "low";
    case ReasoningEffort::kLow:
      return "low";
    case ReasoningEffort::kMedium:
      return flash || version > kFirstSigning ? "medium" : "high";
    default:
      return "high";
  }
}

std::string_view MediaTypeOf(const ImagePart& image) {
  if (!image.media_type.empty()) return image.media_type;
  std::string path = ToLowerAscii(image.url.substr(0, image.url.find_first_of("?#")));
  if (path.ends_with(".png")) return "image/png";
  if (path.ends_with(".webp")) return "image/webp";
  if (path.ends_with(".gif")) return "image/gif";
  return image.url.empty() ? "image/png" : "image/jpeg";
}

}  // namespace

int GeminiVersion(std::string_view model) {
  std::size_t at = model.find("gemini-");
  if (at == std::string_view::npos) return 0;
  std::string_view rest = model.substr(at + 7);
  const char* end = rest.data() + rest.size();
  int major = 0, minor = 0;
  auto [next, error] = std::from_chars(rest.data(), end, major);
  if (error != std::errc() || major > 99) return 0;
  if (next != end && *next == '.') std::from_chars(next + 1, end, minor);
  return major * 100 + std::clamp(minor, 0, 99);
}

GoogleRequest::GoogleRequest(const ChatRequest& request, const ModelEntry* entry,
                             const std::string& provider, const SchemaSource& schemas)
    : request_(request),
      entry_(entry),
      provider_(provider),
      schemas_(schemas),
      model_(request.model),
      signs_calls_(GeminiVersion(request.model) >= kFirstSigning) {}

std::string GoogleRequest::Write() {
  out_.reserve(EstimateBytes(request_));
  json_.Open('{');
  System();
  Contents();
  Tools();
  GenerationConfig();
  json_.Close('}');
  return std::move(out_);
}

void GoogleRequest::System() {
  const std::string text = SystemText(request_);
  if (text.empty()) return;
  json_.Key("systemInstruction").Open('{').Key("parts").Open('[');
  TextPiece(text);
  json_.Close(']').Close('}');
}

// Whether the message has a part that will be written.
bool GoogleRequest::IsSendable(const Message& message) const {
  return std::any_of(message.parts.begin(), message.parts.end(), [this](const Part& part) {
    if (const auto* text = std::get_if<TextPart>(&part)) return !text->text.empty();
    if (const auto* reasoning = std::get_if<ReasoningPart>(&part)) {
      return reasoning->provider == provider_ && !reasoning->signature.empty();
    }
    return true;
  });
}

void GoogleRequest::Contents() {
  const std::vector<Turn> turns =
      TurnsOf(request_, [this](const Message& message) { return IsSendable(message); });
  json_.Key("contents").Open('[');
  if (turns.empty() || IsAssistant(turns.front())) {
    json_.Open('{').Member("role", "user").Key("parts").Open('[');
    TextPiece(kNothingSaid);
    json_.Close(']').Close('}');
  }
  for (const Turn& turn : turns) OneTurn(turn);
  json_.Close(']');
}

void GoogleRequest::OneTurn(const Turn& turn) {
  bool model = IsAssistant(turn);
  json_.Open('{').Member("role", model ? "model" : "user").Key("parts").Open('[');
  if (model) {
    ModelParts(turn);
  } else {
    UserParts(turn);
  }
  json_.Close(']').Close('}');
}

void GoogleRequest::UserParts(const Turn& turn) {
  for (const Message* message : turn) {
    for (const Part& part : message->parts) {
      if (const auto* result = std::get_if<ToolResult>(&part)) ResultPiece(*result);
    }
  }
  for (const Message* message : turn) {
    for (const Part& part : message->parts) {
      if (const auto* text = std::get_if<TextPart>(&part)) TextPiece(text->text);
      if (const auto* image = std::get_if<ImagePart>(&part)) ImagePiece(*image);
    }
  }
}

void GoogleRequest::ModelParts(const Turn& turn) {
  for (const Message* message : turn) {
    bool first = true;  // parallel calls carry one signature, on the first
    for (const Part& part : message->parts) {
      if (const auto* text = std::get_if<TextPart>(&part)) TextPiece(text->text);
      if (const auto* reasoning = std::get_if<ReasoningPart>(&part)) ReasoningPiece(*reasoning);
      if (const auto* call = std::get_if<ToolCall>(&part)) {
        CallPiece(*call, std::exchange(first, false));
      }
    }
  }
}

void GoogleRequest::TextPiece(std::string_view text) {
  if (text.empty()) return;
  json_.Open('{').Member("text", text).Close('}');
}

void GoogleRequest::ImagePiece(const ImagePart& image) {
  if (!ReadsImages(entry_)) return TextPiece(kImageOmitted);
  bool inlined = !image.base64.empty();
  json_.Open('{').Key(inlined ? "inlineData" : "fileData").Open('{');
  json_.Member("mimeType", MediaTypeOf(image));
  json_.Member(inlined ? "data" : "fileUri", inlined ? image.base64 : image.url);
  json_.Close('}').Close('}');
}

void GoogleRequest::ReasoningPiece(const ReasoningPart& part) {
  if (part.provider != provider_ || part.signature.empty()) return;
  json_.Open('{').Member("text", part.text);
  // A signature by itself belongs to the text before it.
  if (!part.text.empty()) json_.Key("thought").Bool(true);
  json_.Member("thoughtSignature", part.signature).Close('}');
}

void GoogleRequest::CallPiece(const ToolCall& call, bool first) {
  json_.Open('{').Key("functionCall").Open('{').Member("name", SafeName(call.name)).Key("args");
  AppendArguments(out_, call.arguments);
  json_.Close('}');
  if (!call.signature.empty()) {
    json_.Member("thoughtSignature", call.signature);
  } else if (first && signs_calls_) {
    json_.Member("thoughtSignature", kForeignCall);
  }
  json_.Close('}');
}

std::string GoogleRequest::NameOf(const ToolResult& result) const {
  if (!result.name.empty()) return SafeName(result.name);
  for (const Message& message : request_.messages) {
    for (const Part& part : message.parts) {
      const auto* call = std::get_if<ToolCall>(&part);
      if (call != nullptr && call->id == result.call_id) return SafeName(call->name);
    }
  }
  return SafeName("");
}

void GoogleRequest::ResultPiece(const ToolResult& result) {
  json_.Open('{').Key("functionResponse").Open('{').Member("name", NameOf(result));
  json_.Key("response").Open('{').Member(result.is_error ? "error" : "output", result.content);
  json_.Close('}').Close('}').Close('}');
}

void GoogleRequest::Tools() {
  if (request_.tools.empty()) return;
  json_.Key("tools").Open('[').Open('{').Key("functionDeclarations").Open('[');
  for (const ToolDefinition& tool : request_.tools) {
    json_.Open('{').Member("name", tool.name).Member("description", tool.description);
    const std::string& parameters = schemas_(tool.schema);
    if (!parameters.empty()) json_.Key("parameters").Raw(parameters);
    json_.Close('}');
  }
  json_.Close(']').Close('}').Close(']');
  if (request_.tool_choice == ToolChoice::kAuto) return;
  json_.Key("toolConfig").Open('{').Key("functionCallingConfig").Open('{');
  json_.Member("mode", request_.tool_choice == ToolChoice::kNone ? "NONE" : "ANY");
  json_.Close('}').Close('}');
}

void GoogleRequest::GenerationConfig() {
  json_.Key("generationConfig").Open('{');
  if (auto most = MaxTokensOf(request_, entry_)) json_.Key("maxOutputTokens").Int(*most);
  if (request_.temperature) json_.Key("temperature").Double(*request_.temperature);
  if (request_.top_p) json_.Key("topP").Double(*request_.top_p);
  if (!request_.stop.empty()) {
    json_.Key("stopSequences").Open('[');
    for (const std::string& stop : request_.stop) json_.String(stop);
    json_.Close(']');
  }
  ThinkingConfig();
  json_.Close('}');
}

void GoogleRequest::ThinkingConfig() {
  ReasoningEffort effort = EffortOf(request_, entry_);
  int version = GeminiVersion(model_);
  // Models that do not reason refuse the field; 2.5 was the first family to reason throughout.
  bool reasons = HasFeature(entry_, "reasoning") || version >= 205;
  if (!reasons || (effort == ReasoningEffort::kDefault && !HasFeature(entry_, "reasoning"))) return;
  json_.Key("thinkingConfig").Open('{');
  bool flash = model_.find("flash") != std::string_view::npos;
  if (effort != ReasoningEffort::kDefault && version >= kFirstSigning) {
    json_.Member("thinkingLevel", LevelOf(effort, version, flash));
  } else if (effort != ReasoningEffort::kDefault) {
    bool pro = model_.find("pro") != std::string_view::npos;
    json_.Key("thinkingBudget").Int(BudgetOf(effort, pro));
  }
  if (effort != ReasoningEffort::kOff) json_.Key("includeThoughts").Bool(true);
  json_.Close('}');
}

}  // namespace talon::model
