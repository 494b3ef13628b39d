// SPDX-License-Identifier: Apache-2.0
#include "io/http_wire.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "base/json.h"
#include "base/text.h"

namespace talon::io {
namespace {

bool IsManaged(std::string_view name) {
  constexpr std::array<std::string_view, 4> kManaged = {"content-length", "transfer-encoding",
                                                        "connection", "date"};
  for (std::string_view managed : kManaged) {
    if (EqualsIgnoreCase(name, managed)) return true;
  }
  return false;
}

void AppendClean(std::string& out, std::string_view text) {
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back((byte < 0x20 && c != '\t') || byte == 0x7f ? ' ' : c);
  }
}

}  // namespace

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    case 529:
      return "Overloaded";
    default:
      return "Unknown";
  }
}

std::string FormatHttpDate(std::time_t time) {
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                     "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                     kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                     kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                     utc.tm_min, utc.tm_sec);
}

void AppendHead(std::string& out, const ResponseHead& head, const Headers& headers) {
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", head.status,
                 ReasonPhrase(head.status));
  for (const auto& [name, value] : headers.items()) {
    if (IsManaged(name)) continue;
    AppendClean(out, name);
    out += ": ";
    AppendClean(out, value);
    out += "\r\n";
  }
  if (head.framing == Framing::kLength) {
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", head.content_length);
  } else if (head.framing == Framing::kChunked) {
    out += "Transfer-Encoding: chunked\r\n";
  }
  out += "Date: ";
  out += head.date;
  out += head.keep_alive ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
}

void AppendChunk(std::string& out, std::string_view data) {
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", data.size());
  out += data;
  out += "\r\n";
}

std::string FormatProblem(const HttpProblem& problem, std::string_view date) {
  std::string body = "{\"error\":{\"message\":";
  AppendJsonString(body, problem.message);
  body += ",\"type\":";
  AppendJsonString(body, problem.status < 500 ? "invalid_request_error" : "server_error");
  body += ",\"code\":";
  AppendJsonString(body, problem.code);
  body += "}}";
  Headers headers = {{"Content-Type", "application/json"}};
  if (problem.retry_after > 0) headers.Set("Retry-After", std::to_string(problem.retry_after));
  std::string out;
  AppendHead(
      out,
      {.status = problem.status, .content_length = body.size(), .keep_alive = false, .date = date},
      headers);
  return out + body;
}

bool ParseTarget(std::string_view target, Target& out) {
  if (target == "*") {
    out = {"*", ""};
    return true;
  }
  const std::size_t scheme = target.find("://");
  if (!target.starts_with('/') && scheme != std::string_view::npos &&
      target.find_first_of("/?") > scheme) {
    const std::size_t path = target.find_first_of("/?", scheme + 3);
    target.remove_prefix(std::min(path, target.size()));
  } else if (!target.starts_with('/')) {
    return false;
  }
  const std::size_t mark = target.find('?');
  out.path = PercentDecode(target.substr(0, mark));
  if (out.path.empty()) out.path = "/";
  out.query = mark == std::string_view::npos ? "" : std::string(target.substr(mark + 1));
  return true;
}

}  // namespace talon::io
