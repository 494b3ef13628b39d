// SPDX-License-Identifier: Apache-2.0
#include "mcp/content.h"

#include <fmt/format.h>

#include "talon/sdk/text.h"

namespace talon::plugins::mcp {
namespace {

constexpr std::size_t kMaxLine = 300;  // of an entry of a list
constexpr std::size_t kMaxParts = 1'000;

// What a base64 text holds, about.
std::string DecodedSize(const std::string& base64) {
  return sdk::HumanSize(base64.size() / 4 * 3);
}

std::string OneLine(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return std::string(sdk::TruncateUtf8(text, kMaxLine));
}

std::string Media(const char* what, const Json& part) {
  const std::string type = StringOf(part, "mimeType");
  return fmt::format("[{} {}, {}: not shown]", what,
                     type.empty() ? "of unknown type" : OneLine(type),
                     DecodedSize(StringOf(part, "data")));
}

std::string Link(const Json& part) {
  std::string out = fmt::format("[resource {}", OneLine(StringOf(part, "uri")));
  if (const std::string name = StringOf(part, "name"); !name.empty()) out += " " + OneLine(name);
  if (const std::string type = StringOf(part, "mimeType"); !type.empty())
    out += ", " + OneLine(type);
  out += "]";
  const std::string description = StringOf(part, "description");
  return description.empty() ? out : out + " " + OneLine(description);
}

std::string ResourceContents(const Json& contents) {
  const std::string uri = OneLine(StringOf(contents, "uri"));
  if (MemberOf(contents, "text").is_string()) {
    return fmt::format("[{}]\n{}", uri, StringOf(contents, "text"));
  }
  const std::string type = StringOf(contents, "mimeType");
  return fmt::format("[{}: {}, {}: not shown]", uri, type.empty() ? "binary" : OneLine(type),
                     DecodedSize(StringOf(contents, "blob")));
}

std::string Part(const Json& part) {
  const std::string type = StringOf(part, "type");
  if (type == "text") return StringOf(part, "text");
  if (type == "image") return Media("image", part);
  if (type == "audio") return Media("audio", part);
  if (type == "resource_link") return Link(part);
  if (type == "resource") return ResourceContents(MemberOf(part, "resource"));
  return fmt::format("[content of unknown type '{}']", OneLine(type));
}

std::string Parts(const Json& content) {
  std::string out;
  if (content.is_object()) return Part(content);
  if (!content.is_array()) return out;
  std::size_t count = 0;
  for (const Json& part : content) {
    if (++count > kMaxParts) return out + "\n[more parts: not shown]";
    if (!out.empty()) out += '\n';
    out += Part(part);
  }
  return out;
}

void AddLine(std::string& out, const std::string& line) {
  out += line;
  out += '\n';
}

std::string Entry(const Json& item, const char* key) {
  std::string line = OneLine(StringOf(item, key));
  const std::string name = StringOf(item, "name"), title = StringOf(item, "title");
  if (std::string_view(key) != "name" && !name.empty()) line += fmt::format(" ({})", OneLine(name));
  if (const std::string type = StringOf(item, "mimeType"); !type.empty()) {
    line += ", " + OneLine(type);
  }
  const std::string description = StringOf(item, "description");
  if (!description.empty() || !title.empty()) {
    line += ": " + OneLine(description.empty() ? title : description);
  }
  return line;
}

}  // namespace

sdk::Result RenderToolResult(const Json& result) {
  std::string text = Parts(MemberOf(result, "content"));
  if (BoolOf(result, "isError")) {
    return sdk::Result::Error(text.empty() ? "the tool failed and did not say why" : text);
  }
  sdk::Result out = sdk::Result::Text(std::move(text));
  if (result.is_object() && result.contains("structuredContent")) {
    out.structured_json = Dump(result["structuredContent"]);
    if (out.content.empty()) out.content = out.structured_json;
  }
  return out;
}

std::string RenderResource(const Json& result) {
  const Json& contents = MemberOf(result, "contents");
  std::string out;
  if (contents.is_array()) {
    for (const Json& item : contents) AddLine(out, ResourceContents(item));
  }
  return out.empty() ? "[empty]" : out;
}

std::string RenderPrompt(const Json& result) {
  std::string out;
  if (const std::string about = StringOf(result, "description"); !about.empty()) {
    AddLine(out, fmt::format("[{}]", OneLine(about)));
  }
  const Json& messages = MemberOf(result, "messages");
  if (messages.is_array()) {
    for (const Json& message : messages) {
      AddLine(out, fmt::format("{}: {}", OneLine(StringOf(message, "role")),
                               Parts(MemberOf(message, "content"))));
    }
  }
  return out.empty() ? "[empty]" : out;
}

std::string RenderResources(const std::vector<Json>& resources,
                            const std::vector<Json>& templates) {
  std::string out;
  for (const Json& item : resources) AddLine(out, Entry(item, "uri"));
  for (const Json& item : templates) AddLine(out, "template " + Entry(item, "uriTemplate"));
  return out.empty() ? "[none]" : out;
}

std::string RenderPrompts(const std::vector<Json>& prompts) {
  std::string out;
  for (const Json& item : prompts) {
    std::string line = Entry(item, "name");
    std::string names;
    const Json& arguments = MemberOf(item, "arguments");
    if (arguments.is_array()) {
      for (const Json& argument : arguments) {
        names +=
            fmt::format("{}{}{}", names.empty() ? "" : ", ", OneLine(StringOf(argument, "name")),
                        BoolOf(argument, "required") ? "" : "?");
      }
    }
    AddLine(out, names.empty() ? line : fmt::format("{} [arguments: {}]", line, names));
  }
  return out.empty() ? "[none]" : out;
}

}  // namespace talon::plugins::mcp
