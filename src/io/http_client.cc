// SPDX-License-Identifier: Apache-2.0
#include "io/http_client.h"

#include <chrono>
#include <utility>

#include "base/status.h"
#include "io/curl_driver.h"
#include "io/curl_transfer.h"

namespace talon::io {
namespace {

// The reader's end of a transfer. Shared with the driver, which keeps a transfer until libcurl is
// out of it.
class CurlStream : public HttpStream {
 public:
  explicit CurlStream(std::shared_ptr<CurlTransfer> transfer) : transfer_(std::move(transfer)) {}
  ~CurlStream() override { transfer_->End(Cancelled("the reader went away")); }
  int status() const override { return transfer_->status(); }
  const Headers& headers() const override { return transfer_->headers(); }
  Task<absl::StatusOr<std::string>> Read() override { return transfer_->Read(); }

 private:
  std::shared_ptr<CurlTransfer> transfer_;
};

class CurlClient : public HttpClient {
 public:
  CurlClient(Loop& loop, HttpClientOptions options) : loop_(loop), options_(std::move(options)) {}

  Task<absl::StatusOr<std::unique_ptr<HttpStream>>> Open(HttpRequest request,
                                                         CallContext context) override {
    TALON_CO_RETURN_IF_ERROR(CheckRequest(request));
    if (context.cancel.cancelled()) co_return context.cancel.status();
    if (context.deadline <= std::chrono::steady_clock::now()) {
      co_return DeadlineExceeded(DescribeRequest(request) + ": the deadline had passed before");
    }
    if (!driver_) driver_ = std::make_shared<CurlDriver>(loop_, options_);
    const auto transfer = std::make_shared<CurlTransfer>(*driver_, std::move(request));
    auto stream = std::make_unique<CurlStream>(transfer);
    TALON_CO_RETURN_IF_ERROR(driver_->Start(transfer));
    transfer->Bind(context);
    TALON_CO_RETURN_IF_ERROR(co_await transfer->WaitHeaders());
    co_return stream;
  }

 private:
  Loop& loop_;
  const HttpClientOptions options_;
  std::shared_ptr<CurlDriver> driver_;  // shared with the callback under way
};

}  // namespace

Task<absl::StatusOr<HttpResponse>> HttpClient::Fetch(HttpRequest request, CallContext context) {
  TALON_CO_ASSIGN_OR_RETURN(const auto stream,
                            co_await Open(std::move(request), std::move(context)));
  HttpResponse response;
  response.status = stream->status();
  response.headers = stream->headers();
  while (true) {
    TALON_CO_ASSIGN_OR_RETURN(std::string piece, co_await stream->Read());
    if (piece.empty()) co_return response;
    if (response.body.empty()) {
      response.body = std::move(piece);
    } else {
      response.body += piece;
    }
  }
}

std::unique_ptr<HttpClient> MakeCurlClient(Loop& loop, HttpClientOptions options) {
  return std::make_unique<CurlClient>(loop, std::move(options));
}

}  // namespace talon::io
