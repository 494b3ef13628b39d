// SPDX-License-Identifier: Apache-2.0
// The server's side of an HTTP/2 connection in memory, by nghttp2, for what no real gRPC server
// does on request: resets, refusals, farewells, broken answers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talon::plugin {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

class FakeH2Server {
 public:
  struct Request {
    HeaderList headers;
    std::string body;  // with the length prefix
    bool ended = false;
    bool reset = false;
  };

  explicit FakeH2Server(std::uint32_t max_streams = 100, std::uint32_t window = 65535);
  ~FakeH2Server();

  void Receive(std::string_view bytes);
  std::string Produce();
  // By stream, in order of arrival.
  const std::map<std::int32_t, Request>& requests() const;

  void Answer(std::int32_t id, std::string_view message);  // a good one
  void AnswerWith(std::int32_t id, const HeaderList& headers, std::string body,
                  const HeaderList& trailers);
  // The same in steps; Send after Begin, any number of times, whatever the window allows.
  void Begin(std::int32_t id);
  void Send(std::int32_t id, std::string_view message);
  void Finish(std::int32_t id, const HeaderList& trailers);
  std::size_t SentBytes(std::int32_t id) const;
  void TrailersOnly(std::int32_t id, const HeaderList& headers);
  void Reset(std::int32_t id, std::uint32_t error_code);
  void GoAway(std::int32_t last_id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace talon::plugin
