// SPDX-License-Identifier: Apache-2.0
#include "plugin/h2/session.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "plugin/h2/reply.h"
#include "plugin/h2/wire.h"

namespace talon::plugin::h2 {
namespace {

constexpr std::size_t kMessagePrefix = 5;
constexpr std::size_t kMaxErrorText = 200;
// What the peer may send on a call before somebody reads it. A call nobody reads holds up itself
// only: the connection's window is given back as bytes arrive.
constexpr std::uint32_t kStreamWindow = 256 << 10;
constexpr std::int32_t kConnectionWindow = 4 << 20;

nghttp2_nv Field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string_view View(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

bool EndsStream(const nghttp2_frame& frame) {
  return (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

struct Stream {
  bool unsent() const { return sent < message.size(); }

  Reply reply;
  absl::AnyInvocable<void()> changed;
  std::string message;  // on its way out, with its length prefix
  std::size_t sent = 0;
  bool writes_closed = false;
  bool deferred = false;  // nghttp2 waits for us to have something to send
  bool ended = false;     // nothing comes or goes any more
};

}  // namespace

struct Session::State {
  explicit State(const TransportLimits& given) : limits(given) {}
  ~State() { nghttp2_session_del(session); }

  Stream* Find(std::int32_t id) {
    const auto found = streams.find(id);
    return found == streams.end() ? nullptr : &found->second;
  }
  // The reply is decided; what is left of the call on the wire is reset.
  void End(std::int32_t id, Stream& stream, std::uint32_t reset_with) {
    if (std::exchange(stream.ended, true)) return;
    --live;
    const bool half_open = stream.unsent() || !stream.writes_closed;
    if (half_open || reset_with != NGHTTP2_NO_ERROR) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, reset_with);
    }
    stream.message.clear();
    stream.sent = 0;
    changed.push_back(id);
  }
  // The stream is no more on the wire.
  void EndClosed(std::int32_t id, Stream& stream) {
    stream.message.clear();
    stream.sent = 0;
    stream.writes_closed = true;
    End(id, stream, NGHTTP2_NO_ERROR);
  }
  void Resume(std::int32_t id, Stream& stream) {
    if (std::exchange(stream.deferred, false)) nghttp2_session_resume_data(session, id);
  }
  void GiveBack(std::int32_t id, Stream& stream) {
    const std::size_t used = stream.reply.TakeUsedBytes();
    if (used > 0 && !stream.ended) nghttp2_session_consume_stream(session, id, used);
  }
  void Deliver() {
    for (const std::int32_t id : std::exchange(changed, {})) {
      if (Stream* stream = Find(id)) stream->changed();
    }
  }

  const TransportLimits limits;
  std::string caller_key;
  nghttp2_session* session = nullptr;
  std::unordered_map<std::int32_t, Stream> streams;
  std::size_t live = 0;               // of them, not ended
  std::vector<std::int32_t> changed;  // to be told once nghttp2 has returned
  bool ready = false;
  bool draining = false;
  bool failed = false;
  absl::Status broken;    // why the peer is to be left
  std::string complaint;  // nghttp2's last error text
};

// nghttp2's C callbacks; `user` is the State.
struct Callbacks {
  using State = Session::State;
  static State& Of(void* user) { return *static_cast<State*>(user); }

  // NOLINTNEXTLINE(readability-function-size): the signature is nghttp2's.
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                      std::uint8_t, void* user) {
    const std::int32_t id = frame->hd.stream_id;
    Stream* stream = Of(user).Find(id);
    if (stream == nullptr) return 0;
    stream->reply.Header(View(name, name_size), View(value, value_size));
    if (stream->reply.done()) Of(user).End(id, *stream, NGHTTP2_CANCEL);
    return 0;
  }

  static int OnData(nghttp2_session* session, std::uint8_t, std::int32_t id,
                    const std::uint8_t* data, std::size_t size, void* user) {
    State& state = Of(user);
    nghttp2_session_consume_connection(session, size);
    Stream* stream = state.Find(id);
    if (stream == nullptr || stream->ended) return 0;
    stream->reply.Data(View(data, size));
    if (stream->reply.done()) {
      state.End(id, *stream, NGHTTP2_CANCEL);
    } else {
      state.GiveBack(id, *stream);
      if (stream->reply.awaited()) state.changed.push_back(id);
    }
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    State& state = Of(user);
    if (frame->hd.type == NGHTTP2_SETTINGS) state.ready = true;
    if (frame->hd.type == NGHTTP2_GOAWAY) state.draining = true;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    const std::int32_t id = frame->hd.stream_id;
    Stream* stream = state.Find(id);
    if (stream == nullptr) return 0;
    if (EndsStream(*frame)) {
      stream->reply.StreamEnd();
      state.End(id, *stream, NGHTTP2_NO_ERROR);
    } else if (frame->hd.type == NGHTTP2_HEADERS) {
      stream->reply.HeadersEnd();
      if (stream->reply.done()) state.End(id, *stream, NGHTTP2_CANCEL);
    }
    return 0;
  }

  static int OnClose(nghttp2_session*, std::int32_t id, std::uint32_t error_code, void* user) {
    Stream* stream = Of(user).Find(id);
    if (stream == nullptr) return 0;
    stream->reply.Reset(error_code);
    Of(user).EndClosed(id, *stream);
    return 0;
  }

  static int OnSent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    State& state = Of(user);
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR &&
        state.broken.ok()) {
      // Not every end has a complaint before it.
      state.broken = Misbehaved(fmt::format("the plugin broke the HTTP/2 protocol: {}",
                                            state.complaint.empty()
                                                ? nghttp2_http2_strerror(frame->goaway.error_code)
                                                : CleanText(state.complaint, kMaxErrorText)));
    }
    return 0;
  }

  static int OnNotSent(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) {
    const std::int32_t id = frame->hd.stream_id;
    Stream* stream = frame->hd.type == NGHTTP2_HEADERS ? Of(user).Find(id) : nullptr;
    if (stream == nullptr) return 0;
    stream->reply.Fail(
        Unavailable(fmt::format("the call was not sent: {}", nghttp2_strerror(error))));
    Of(user).EndClosed(id, *stream);
    return 0;
  }

  static int OnError(nghttp2_session*, int, const char* text, std::size_t size, void* user) {
    Of(user).complaint.assign(text, std::min(size, kMaxErrorText));
    return 0;
  }

  static ssize_t ReadMessage(nghttp2_session*, std::int32_t id, std::uint8_t* buffer,
                             std::size_t size, std::uint32_t* flags, nghttp2_data_source*,
                             void* user) {
    Stream* stream = Of(user).Find(id);
    // Closed or ended meanwhile: reset.
    if (stream == nullptr || stream->ended) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (!stream->unsent() && !stream->writes_closed) {
      stream->deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    const std::size_t count = std::min(size, stream->message.size() - stream->sent);
    std::memcpy(buffer, stream->message.data() + stream->sent, count);
    stream->sent += count;
    if (!stream->unsent()) {
      if (stream->writes_closed)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
      else
        Of(user).changed.push_back(id);
    }
    return static_cast<ssize_t>(count);
  }

  static nghttp2_session* MakeSession(State* state) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_option* option = nullptr;
    TALON_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    TALON_CHECK(nghttp2_option_new(&option) == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, OnSent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, OnNotSent);
    nghttp2_session_callbacks_set_error_callback2(callbacks, OnError);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session* session = nullptr;
    TALON_CHECK(nghttp2_session_client_new2(&session, callbacks, state, option) == 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return session;
  }
};

Session::Session(const TransportLimits& limits) : state_(std::make_unique<State>(limits)) {
  state_->session = Callbacks::MakeSession(state_.get());
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.max_header_bytes)},
  };
  TALON_CHECK(nghttp2_submit_settings(state_->session, NGHTTP2_FLAG_NONE, settings,
                                      std::size(settings)) == 0);
  TALON_CHECK(nghttp2_session_set_local_window_size(state_->session, NGHTTP2_FLAG_NONE, 0,
                                                    kConnectionWindow) == 0);
}

Session::~Session() = default;

void Session::Identify(std::string caller_key) {
  state_->caller_key = std::move(caller_key);
}

absl::StatusOr<std::int32_t> Session::Open(std::string_view method, std::string_view timeout,
                                           absl::AnyInvocable<void()> changed) {
  State& state = *state_;
  if (state.failed || state.draining || !state.broken.ok()) {
    return Unavailable("the plugin takes no more calls");
  }
  if (state.streams.size() >= state.limits.max_calls) {
    return ResourceExhausted(fmt::format("{} calls are in flight already", state.limits.max_calls));
  }
  nghttp2_nv fields[10];
  std::size_t count = 0;
  for (const auto& [name, value] :
       std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {":method", "POST"},
           {":scheme", "http"},
           {":path", method},
           {":authority", "localhost"},
           {"te", "trailers"},
           {"content-type", "application/grpc"},
           {"user-agent", "grpc-c++-talon"},
           {"grpc-accept-encoding", "identity"}}) {
    fields[count++] = Field(name, value);
  }
  if (!state.caller_key.empty()) fields[count++] = Field(kCallerKeyHeader, state.caller_key);
  if (!timeout.empty()) fields[count++] = Field("grpc-timeout", timeout);
  nghttp2_data_provider provider{};
  provider.read_callback = Callbacks::ReadMessage;
  const std::int32_t id =
      nghttp2_submit_request(state.session, nullptr, fields, count, &provider, nullptr);
  if (id < 0) {
    state.draining = true;  // out of stream numbers or memory: a new connection is due
    return Unavailable(fmt::format("the call was not sent: {}", nghttp2_strerror(id)));
  }
  Reply reply(state.limits.max_message_bytes, state.limits.max_header_bytes);
  state.streams.emplace(id, Stream{.reply = std::move(reply), .changed = std::move(changed)});
  ++state.live;
  return id;
}

absl::Status Session::Write(std::int32_t id, std::string message) {
  Stream* stream = state_->Find(id);
  TALON_CHECK(stream != nullptr && !stream->unsent());
  if (stream->ended || stream->writes_closed) {
    return FailedPrecondition("the call takes no more messages");
  }
  if (message.size() > state_->limits.max_message_bytes) {
    return ResourceExhausted(fmt::format("the request of {} bytes exceeds the limit of {}",
                                         message.size(), state_->limits.max_message_bytes));
  }
  const auto size = static_cast<std::uint32_t>(message.size());
  const char prefix[kMessagePrefix] = {0, static_cast<char>(size >> 24),
                                       static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                                       static_cast<char>(size)};
  message.insert(0, prefix, kMessagePrefix);
  stream->message = std::move(message);
  stream->sent = 0;
  state_->Resume(id, *stream);
  return absl::OkStatus();
}

void Session::CloseWrites(std::int32_t id) {
  Stream* stream = state_->Find(id);
  TALON_CHECK(stream != nullptr);
  stream->writes_closed = true;
  if (!stream->ended) state_->Resume(id, *stream);
}

bool Session::writing(std::int32_t id) const {
  const Stream* stream = state_->Find(id);
  TALON_CHECK(stream != nullptr);
  return stream->unsent();
}

std::optional<absl::StatusOr<std::optional<std::string>>> Session::Next(std::int32_t id) {
  Stream* stream = state_->Find(id);
  TALON_CHECK(stream != nullptr);
  auto next = stream->reply.Next();
  if (stream->reply.done() && !stream->ended) state_->End(id, *stream, NGHTTP2_CANCEL);
  state_->GiveBack(id, *stream);
  return next;
}

void Session::Close(std::int32_t id) {
  Stream* stream = state_->Find(id);
  TALON_CHECK(stream != nullptr);
  if (!stream->ended) state_->End(id, *stream, NGHTTP2_CANCEL);
  state_->streams.erase(id);
}

void Session::Receive(std::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(
      state_->session, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0 && state_->broken.ok()) {
    state_->broken = Misbehaved(fmt::format("the plugin broke the HTTP/2 protocol: {}",
                                            nghttp2_strerror(static_cast<int>(taken))));
  }
  state_->Deliver();
}

void Session::Produce(std::string& out, std::size_t max_bytes) {
  while (out.size() < max_bytes) {
    const std::uint8_t* data = nullptr;
    const ssize_t count = nghttp2_session_mem_send(state_->session, &data);
    if (count < 0 && state_->broken.ok()) {
      state_->broken = Internal(fmt::format("no HTTP/2 frame could be made: {}",
                                            nghttp2_strerror(static_cast<int>(count))));
    }
    if (count <= 0) break;
    out.append(View(data, static_cast<std::size_t>(count)));
  }
  state_->Deliver();
}

void Session::Fail(const absl::Status& error) {
  state_->failed = true;
  for (auto& [id, stream] : state_->streams) {
    if (stream.ended) continue;
    stream.reply.Fail(error);
    state_->EndClosed(id, stream);
  }
  state_->Deliver();
}

bool Session::ready() const {
  return state_->ready;
}
bool Session::draining() const {
  return state_->draining;
}
std::size_t Session::calls() const {
  return state_->live;
}

absl::Status Session::end() const {
  if (!state_->broken.ok()) return state_->broken;
  const bool done = nghttp2_session_want_read(state_->session) == 0 &&
                    nghttp2_session_want_write(state_->session) == 0;
  if (done || (state_->draining && state_->live == 0)) {
    return MakeError(absl::StatusCode::kUnavailable, ErrorReason::kPluginCrashed,
                     "the plugin ended the connection");
  }
  return absl::OkStatus();
}

}  // namespace talon::plugin::h2
