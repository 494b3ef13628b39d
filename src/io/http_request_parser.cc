// SPDX-License-Identifier: Apache-2.0
// Beast asserts on its input in parse_chunk_header (a last chunk cut after three or four bytes);
// without the assertion the code below it handles that case.
#define BOOST_DISABLE_ASSERTS
#include "io/http_request_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <exception>
#include <limits>
#include <string>
#include <utility>

#include "base/text.h"

namespace talon::io {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastView = boost::beast::string_view;

std::string_view ToStd(BeastView text) {
  return {text.data(), text.size()};
}

class BeastRequestParser final : public RequestParser, private http::basic_parser<true> {
 public:
  explicit BeastRequestParser(Limits limits) : limits_(limits) {
    eager(true);
    header_limit(static_cast<std::uint32_t>(
        std::min<std::uint64_t>(limits.header_bytes, std::numeric_limits<std::uint32_t>::max())));
    body_limit(limits.body_bytes);
  }

  std::size_t Feed(std::string_view data) override {
    try {
      error_code error;
      const bool in_header = !is_header_done();
      const std::size_t used = put(boost::asio::buffer(data), error);
      const std::size_t rest = data.size() - used;
      if (in_header) header_bytes_ += used;
      // Beast applies its limit to each piece; this is the sum.
      if (!is_header_done() && header_bytes_ + rest > limits_.header_bytes) HeaderTooLarge();
      if (error && error != http::error::need_more) {
        FailWith(error);
      } else if (is_header_done() && !is_done() && rest > limits_.header_bytes) {
        Fail({400, "bad_request", "the head of a chunk of the request body is too long"});
      }
      return used;
    } catch (const std::exception& e) {
      Fail({400, "bad_request", fmt::format("the request could not be read: {}", e.what())});
      return 0;
    }
  }

  State state() const override {
    if (failed_) return State::kFailed;
    if (is_done()) return State::kDone;
    return is_header_done() ? State::kBody : State::kHeader;
  }
  const HttpProblem& problem() const override { return problem_; }
  bool expects_continue() const override { return expects_continue_; }
  bool keep_alive() const override { return http::basic_parser<true>::keep_alive(); }
  bool http10() const override { return http10_; }
  const ServerRequest& head() const override { return request_; }
  ServerRequest Take() override {
    if (state() != State::kDone) request_.body.clear();
    return std::move(request_);
  }

 private:
  void Fail(HttpProblem problem) {
    if (failed_) return;
    failed_ = true;
    problem_ = std::move(problem);
  }
  void Refuse(HttpProblem problem, error_code& error) {
    Fail(std::move(problem));
    error = http::error::bad_value;
  }
  void HeaderTooLarge() {
    Fail({431, "header_too_large",
          fmt::format("the request header exceeds {} bytes", limits_.header_bytes)});
  }
  void FailWith(const error_code& error) {
    if (error == http::error::header_limit) return HeaderTooLarge();
    if (error == http::error::body_limit) {
      Fail({413, "body_too_large",
            fmt::format("the request body exceeds {} bytes", limits_.body_bytes)});
    } else {
      Fail({400, "bad_request", fmt::format("the request is malformed: {}", error.message())});
    }
  }

  void on_request_impl(http::verb method, BeastView name, BeastView target, int version,
                       error_code& error) override {
    request_.method = ToStd(name);
    request_.target = ToStd(target);
    http10_ = version == 10;
    if (method == http::verb::unknown || method == http::verb::connect) {
      return Refuse({501, "method_not_implemented",
                     fmt::format("the method '{}' is not implemented", request_.method)},
                    error);
    }
    Target parts;
    if (!ParseTarget(request_.target, parts)) {
      return Refuse({400, "bad_request", "the request target is neither a path nor a URL"}, error);
    }
    request_.path = std::move(parts.path);
    request_.query = std::move(parts.query);
  }

  void on_field_impl(http::field field, BeastView name, BeastView value,
                     error_code& error) override {
    if (is_header_done()) return;  // trailers are not headers
    const std::string_view text = ToStd(value);
    if (field == http::field::transfer_encoding &&
        (http10_ || !EqualsIgnoreCase(text, "chunked"))) {
      return Refuse({501, "transfer_encoding_not_implemented",
                     "the only transfer encoding of a request body is 'chunked', in HTTP/1.1"},
                    error);
    }
    if (field == http::field::host && std::exchange(has_host_, true)) {
      return Refuse({400, "bad_request", "the request has more than one Host header"}, error);
    }
    if (field == http::field::expect && !http10_ && EqualsIgnoreCase(text, "100-continue")) {
      expects_continue_ = true;
    }
    request_.headers.Add(std::string(ToStd(name)), std::string(text));
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    if (length) request_.body.reserve(static_cast<std::size_t>(*length));
  }
  std::size_t on_body_impl(BeastView body, error_code&) override {
    request_.body.append(body.data(), body.size());
    return body.size();
  }
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView body, error_code&) override {
    request_.body.append(body.data(), body.size());
    return body.size();
  }
  void on_response_impl(int, BeastView, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_chunk_header_impl(std::uint64_t, BeastView, error_code&) override {}
  void on_finish_impl(error_code&) override {}

  const Limits limits_;
  ServerRequest request_;
  HttpProblem problem_;
  std::uint64_t header_bytes_ = 0;
  bool failed_ = false;
  bool http10_ = false;
  bool has_host_ = false;
  bool expects_continue_ = false;
};

}  // namespace

std::unique_ptr<RequestParser> RequestParser::Create(Limits limits) {
  return std::make_unique<BeastRequestParser>(limits);
}

}  // namespace talon::io
