// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <deque>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "delivery.h"
#include "request.h"
#include "rules.h"

namespace talon::mockllm {
namespace {

io::ServerResponse JsonAnswer(int status, const Json& body) {
  io::ServerResponse response;
  response.status = status;
  response.headers.Set("Content-Type", "application/json");
  response.body = DumpJson(body);
  return response;
}

class MockServerImpl : public MockServer {
 public:
  MockServerImpl(io::Loop& loop, MockOptions options, Script script)
      : loop_(loop), options_(std::move(options)), run_(std::make_unique<ScriptRun>(script)) {
    if (options_.bench) bench_.emplace(*options_.bench);
  }

  absl::Status Listen() {
    io::HttpServerOptions http;
    http.port = options_.port;
    http.max_body = Bytes{256u << 20};
    TALON_ASSIGN_OR_RETURN(
        server_, io::MakeHttpServer(loop_, http,
                                    [this](io::ServerRequest request, io::ResponseWriter& writer) {
                                      return Serve(std::move(request), writer);
                                    }));
    return absl::OkStatus();
  }
  std::uint16_t port() const override { return server_->port(); }

 private:
  io::Task<void> Serve(io::ServerRequest request, io::ResponseWriter& writer) {
    if (request.path.starts_with("/__")) {
      (co_await writer.Send(Control(request))).IgnoreError();
      co_return;
    }
    if (bench_) {
      (co_await writer.Send(bench_->Answer(request))).IgnoreError();
      co_return;
    }
    if (request.method == "GET" && request.path.ends_with("/models")) {
      (co_await writer.Send(Models())).IgnoreError();
      co_return;
    }
    Reply reply = Answer(request);
    co_await Deliver(loop_, writer, std::move(reply), request.client_gone);
  }

  Reply Answer(const io::ServerRequest& http) {
    auto request = RequestOfPath(http.path);
    Fault fault;
    if (!request.ok()) {
      fault.status = 404;
      fault.message = Message(request.status());
      return FaultReply(Wire::kOpenAi, fault);
    }
    auto body = ParseJson(http.body, "request body");
    absl::Status read = body.ok() ? ReadRequest(http, *body, *request) : body.status();
    Reply reply;
    if (read.ok()) {
      reply = run_->Decide(http, *body, *request);
    } else {
      fault.status = 400;
      fault.message = Message(read);
      reply = FaultReply(request->wire, fault);
      reply.source = "malformed";
    }
    Record(http, *request, reply, body.ok() ? *body : Json(http.body));
    return reply;
  }

  void Record(const io::ServerRequest& http, const ModelRequest& request, const Reply& reply,
              const Json& body) {
    ++count_;
    Json headers = Json::object();
    for (const auto& [name, value] : http.headers.items()) headers[name] = value;
    requests_.push_back({{"n", count_},
                         {"wire", WireName(request.wire)},
                         {"path", http.target},
                         {"model", request.model},
                         {"stream", request.stream},
                         {"key", request.key},
                         {"user", request.user},
                         {"tool_result", request.tool_result},
                         {"round", request.round},
                         {"tools", request.tools},
                         {"source", reply.source},
                         {"status", reply.status},
                         {"headers", std::move(headers)},
                         {"body", body}});
    while (requests_.size() > options_.keep_requests) requests_.pop_front();
  }

  io::ServerResponse Models() const {
    Json list = Json::array();
    for (const std::string& id : run_->script().models) {
      list.push_back({{"id", id}, {"object", "model"}, {"created", 1}, {"owned_by", "mockllm"}});
    }
    return JsonAnswer(200, {{"object", "list"}, {"data", list}});
  }

  io::ServerResponse Control(const io::ServerRequest& request) {
    if (request.path == "/__requests") {
      if (request.method == "DELETE") Forget();
      Json list = Json::array();
      for (const Json& one : requests_) list.push_back(one);
      return JsonAnswer(200, {{"count", bench_ ? bench_->requests() : count_}, {"requests", list}});
    }
    if (request.path == "/__script" && request.method == "POST") {
      auto script = ParseScript(request.body, options_.folder);
      if (!script.ok()) {
        return JsonAnswer(400, {{"error", std::string(Message(script.status()))}});
      }
      run_ = std::make_unique<ScriptRun>(*std::move(script));
      Forget();
      return JsonAnswer(200, {{"ok", true}});
    }
    return JsonAnswer(404, {{"error", "GET or DELETE /__requests, POST /__script"}});
  }

  void Forget() {
    requests_.clear();
    count_ = 0;
  }

  io::Loop& loop_;
  const MockOptions options_;
  std::unique_ptr<ScriptRun> run_;
  std::optional<BenchAnswers> bench_;
  std::deque<Json> requests_;
  std::uint64_t count_ = 0;
  std::unique_ptr<io::HttpServer> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MockServer>> MockServer::Start(io::Loop& loop, MockOptions options,
                                                              Script script) {
  auto server = std::make_unique<MockServerImpl>(loop, std::move(options), std::move(script));
  TALON_RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace talon::mockllm
