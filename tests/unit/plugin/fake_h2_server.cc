// SPDX-License-Identifier: Apache-2.0
#include "fake_h2_server.h"

#include <nghttp2/nghttp2.h>

#include <cstring>

#include "base/check.h"

namespace talon::plugin {
namespace {

const HeaderList kOkHeaders = {{":status", "200"}, {"content-type", "application/grpc"}};

std::vector<nghttp2_nv> ToFields(const HeaderList& headers) {
  std::vector<nghttp2_nv> fields;
  for (const auto& [name, value] : headers) {
    fields.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                      reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                      value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return fields;
}

std::string Framed(std::string_view message) {
  std::string framed = {0, static_cast<char>(message.size() >> 24),
                        static_cast<char>(message.size() >> 16),
                        static_cast<char>(message.size() >> 8), static_cast<char>(message.size())};
  return framed.append(message);
}

std::string View(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

struct FakeH2Server::State {
  struct Body {
    std::string bytes;
    std::size_t sent = 0;
    HeaderList trailers;
    bool open = false;  // more will be sent
  };
  nghttp2_session* session = nullptr;
  std::map<std::int32_t, Request> requests;
  std::map<std::int32_t, Body> bodies;

  static State& Of(void* user) { return *static_cast<State*>(user); }
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                      std::uint8_t, void* user) {
    Of(user).requests[frame->hd.stream_id].headers.emplace_back(View(name, name_size),
                                                                View(value, value_size));
    return 0;
  }
  static int OnData(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                    std::size_t size, void* user) {
    Of(user).requests[id].body += View(data, size);
    return 0;
  }
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_RST_STREAM) Of(user).requests[frame->hd.stream_id].reset = true;
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      Of(user).requests[frame->hd.stream_id].ended = true;
    }
    return 0;
  }
  static ssize_t ReadBody(nghttp2_session* session, std::int32_t id, std::uint8_t* buffer,
                          std::size_t size, std::uint32_t* flags, nghttp2_data_source*,
                          void* user) {
    Body& body = Of(user).bodies[id];
    if (body.open && body.sent == body.bytes.size()) return NGHTTP2_ERR_DEFERRED;
    const std::size_t count = std::min(size, body.bytes.size() - body.sent);
    std::memcpy(buffer, body.bytes.data() + body.sent, count);
    body.sent += count;
    if (body.sent == body.bytes.size() && !body.open) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!body.trailers.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const auto fields = ToFields(body.trailers);
        nghttp2_submit_trailer(session, id, fields.data(), fields.size());
      }
    }
    return static_cast<ssize_t>(count);
  }
};

FakeH2Server::FakeH2Server(std::uint32_t max_streams, std::uint32_t window)
    : state_(std::make_unique<State>()) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, State::OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, State::OnData);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, State::OnFrame);
  nghttp2_session_server_new(&state_->session, callbacks, state_.get());
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, max_streams},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};
  nghttp2_submit_settings(state_->session, NGHTTP2_FLAG_NONE, settings, 2);
}

FakeH2Server::~FakeH2Server() {
  nghttp2_session_del(state_->session);
}

void FakeH2Server::Receive(std::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(
      state_->session, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  TALON_CHECK(taken == static_cast<ssize_t>(bytes.size()));
}

std::string FakeH2Server::Produce() {
  std::string out;
  const std::uint8_t* data = nullptr;
  for (ssize_t count = 0; (count = nghttp2_session_mem_send(state_->session, &data)) > 0;) {
    out += View(data, static_cast<std::size_t>(count));
  }
  return out;
}

const std::map<std::int32_t, FakeH2Server::Request>& FakeH2Server::requests() const {
  return state_->requests;
}

void FakeH2Server::Answer(std::int32_t id, std::string_view message) {
  AnswerWith(id, kOkHeaders, Framed(message), {{"grpc-status", "0"}});
}

void FakeH2Server::Begin(std::int32_t id) {
  AnswerWith(id, kOkHeaders, "", {});
  state_->bodies[id].open = true;
}

void FakeH2Server::Send(std::int32_t id, std::string_view message) {
  state_->bodies[id].bytes += Framed(message);
  nghttp2_session_resume_data(state_->session, id);
}

void FakeH2Server::Finish(std::int32_t id, const HeaderList& trailers) {
  state_->bodies[id].open = false;
  state_->bodies[id].trailers = trailers;
  nghttp2_session_resume_data(state_->session, id);
}

std::size_t FakeH2Server::SentBytes(std::int32_t id) const {
  return state_->bodies[id].sent;
}

void FakeH2Server::AnswerWith(std::int32_t id, const HeaderList& headers, std::string body,
                              const HeaderList& trailers) {
  state_->bodies[id] = {std::move(body), 0, trailers};
  const auto fields = ToFields(headers);
  nghttp2_data_provider provider{};
  provider.read_callback = State::ReadBody;
  nghttp2_submit_response(state_->session, id, fields.data(), fields.size(), &provider);
}

void FakeH2Server::TrailersOnly(std::int32_t id, const HeaderList& headers) {
  const auto fields = ToFields(headers);
  nghttp2_submit_response(state_->session, id, fields.data(), fields.size(), nullptr);
}

void FakeH2Server::Reset(std::int32_t id, std::uint32_t error_code) {
  nghttp2_submit_rst_stream(state_->session, NGHTTP2_FLAG_NONE, id, error_code);
}

void FakeH2Server::GoAway(std::int32_t last_id) {
  nghttp2_submit_goaway(state_->session, NGHTTP2_FLAG_NONE, last_id, NGHTTP2_NO_ERROR, nullptr, 0);
}

}  // namespace talon::plugin
