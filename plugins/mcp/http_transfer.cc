// SPDX-License-Identifier: Apache-2.0
#include "mcp/http_transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace talon::plugins::mcp {
namespace {

constexpr std::size_t kMaxHeaderValue = 8'192;

std::string_view Trim(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

}  // namespace

Transfer::Transfer(Plan plan, const HttpOptions& options, OnData on_data)
    : plan_(std::move(plan)),
      options_(options),
      on_data_(std::move(on_data)),
      easy_(curl_easy_init()),
      parser_(options.limits.max_message_bytes) {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_URL, options.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  const bool post = plan_.kind == Kind::kRequest || plan_.kind == Kind::kNotice;
  if (post) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, plan_.body.c_str());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(plan_.body.size()));
    AddHeader("Content-Type", "application/json");
    AddHeader("Expect", "");  // no waiting for "100 Continue"
  }
  if (plan_.kind == Kind::kNotice) {
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options.notify_timeout.count()));
  }
  AddHeader("Accept", post ? "application/json, text/event-stream" : "text/event-stream");
  for (const auto& [name, value] : options.headers) AddHeader(name, value);
  for (const auto& [name, value] : plan_.headers) AddHeader(name, value);
  if (!plan_.last_event_id.empty()) AddHeader("Last-Event-ID", plan_.last_event_id);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
}

void Transfer::AddHeader(const std::string& name, const std::string& value) {
  // libcurl takes "Name:" as an order to leave the header out, and "Name;" as one without a value.
  const std::string line = value.empty() && name != "Expect" ? name + ";" : name + ": " + value;
  curl_slist* longer = curl_slist_append(headers_.get(), line.c_str());
  if (longer == nullptr) return;
  (void)headers_.release();
  headers_.reset(longer);
}

bool Transfer::is_stream() const {
  return status_ / 100 == 2 && content_type_.starts_with("text/event-stream");
}

bool Transfer::is_json() const {
  return content_type_.starts_with("application/json");
}

std::string Transfer::last_event_id() const {
  return parser_.last_event_id().empty() ? plan_.last_event_id : parser_.last_event_id();
}

std::chrono::milliseconds Transfer::retry(std::chrono::milliseconds otherwise) const {
  return parser_.retry_ms() ? std::chrono::milliseconds(*parser_.retry_ms()) : otherwise;
}

std::string Transfer::ErrorText(CURLcode code) const {
  return *error_ != '\0' ? error_ : curl_easy_strerror(code);
}

std::size_t Transfer::OnHeader(char* data, std::size_t, std::size_t size, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::string_view line = Trim({data, size});
  if (line.starts_with("HTTP/")) {
    const std::size_t space = line.find(' ');
    transfer.status_ =
        space == std::string_view::npos ? 0 : std::atoi(std::string(line.substr(space)).c_str());
    return size;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  const std::string name = Lower(Trim(line.substr(0, colon)));
  const std::string value(Trim(line.substr(colon + 1)).substr(0, kMaxHeaderValue));
  if (name == "content-type") transfer.content_type_ = Lower(value);
  if (name == "mcp-session-id") transfer.session_id_ = value;
  if (name == "location") transfer.location_ = value;
  if (name == "www-authenticate") {
    transfer.challenge_ += (transfer.challenge_.empty() ? "" : ", ") + value;
  }
  return size;
}

std::size_t Transfer::OnBody(char* data, std::size_t, std::size_t size, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  bool fits = true;
  if (transfer.is_stream()) {
    fits = transfer.parser_.Push({data, size}, [&](SseEvent event) {
      transfer.saw_event_ = true;
      const bool message = event.type.empty() || event.type == "message";
      if (message && !event.data.empty()) transfer.on_data_(transfer, std::move(event.data));
    });
  } else {
    fits = transfer.body_.size() + size <= transfer.options_.limits.max_message_bytes;
    if (fits) transfer.body_.append(data, size);
  }
  transfer.too_large_ = !fits;
  return fits ? size : 0;
}

}  // namespace talon::plugins::mcp
