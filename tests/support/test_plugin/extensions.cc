// SPDX-License-Identifier: Apache-2.0
#include "extensions.h"

#include "lies.h"
#include "talon/v1/auth.grpc.pb.h"
#include "talon/v1/hook.grpc.pb.h"
#include "talon/v1/http.grpc.pb.h"
#include "talon/v1/model.grpc.pb.h"
#include "talon/v1/notify.grpc.pb.h"
#include "talon/v1/schedule.grpc.pb.h"
#include "talon/v1/storage.grpc.pb.h"

namespace talon::test_plugin {
namespace {

using grpc::ServerContext;
using grpc::Status;

class Liar {
 public:
  explicit Liar(std::string lie) : lie_(std::move(lie)) {}

 protected:
  Status Answer(google::protobuf::Message& message) const {
    Lie(lie_, message);
    return Status::OK;
  }
  const std::string lie_;
};

class Auth : public v1::AuthProvider::Service, Liar {
 public:
  using Liar::Liar;
  Status Authenticate(ServerContext*, const v1::AuthenticateRequest*,
                      v1::AuthenticateResponse* response) override {
    response->set_accepted(true);
    response->set_user("guest");
    return Answer(*response);
  }
};

class Storage : public v1::Storage::Service, Liar {
 public:
  using Liar::Liar;
  Status Get(ServerContext*, const v1::GetRequest*, v1::GetResponse* response) override {
    response->set_value("value");
    response->set_version("1");
    return Answer(*response);
  }
  Status Put(ServerContext*, const v1::PutRequest*, v1::PutResponse* response) override {
    response->set_version("2");
    return Answer(*response);
  }
  Status Delete(ServerContext*, const v1::DeleteRequest*, v1::DeleteResponse* response) override {
    response->set_existed(true);
    return Answer(*response);
  }
  Status List(ServerContext*, const v1::ListRequest*, v1::ListResponse* response) override {
    return Answer(*response);
  }
};

class Channel : public v1::NotificationChannel::Service, Liar {
 public:
  using Liar::Liar;
  Status Notify(ServerContext*, const v1::NotifyRequest*, v1::NotifyResponse* response) override {
    response->set_message_id("1");
    return Answer(*response);
  }
};

class Task : public v1::ScheduledTask::Service, Liar {
 public:
  using Liar::Liar;
  Status RunTask(ServerContext*, const v1::RunTaskRequest*,
                 v1::RunTaskResponse* response) override {
    response->set_summary("done");
    return Answer(*response);
  }
};

class Hook : public v1::Hook::Service, Liar {
 public:
  using Liar::Liar;
  Status Advise(ServerContext*, const v1::AdviseRequest*, v1::AdviseResponse* response) override {
    response->set_verdict(v1::ADVISE_VERDICT_REWRITE);
    response->set_value("rewritten");
    return Answer(*response);
  }
};

class Http : public v1::HttpEndpoint::Service, Liar {
 public:
  using Liar::Liar;
  Status Handle(ServerContext*, const v1::HttpRequest*, v1::HttpResponse* response) override {
    response->set_status(200);
    response->set_body("served");
    v1::HttpHeader& header = *response->add_headers();
    header.set_name("x-said");
    header.set_value("so");
    return Answer(*response);
  }
};

class Model : public v1::ModelProvider::Service, Liar {
 public:
  using Liar::Liar;
  Status Complete(ServerContext* context, const v1::ChatRequest*,
                  grpc::ServerWriter<v1::ChatDelta>* writer) override {
    v1::ChatDelta delta;
    delta.set_text("said");
    while (lie_ == kEndlessDeltas && !context->IsCancelled()) {
      if (!writer->Write(delta)) return Status::OK;
    }
    // One lies either in what is shown at once or in the whole answer.
    const bool of_whole = lie_.starts_with("ChatDelta.done");
    if (!of_whole) Lie(lie_, delta);
    writer->Write(delta);
    v1::ChatDelta last;
    v1::ChatDone& done = *last.mutable_done();
    done.mutable_message()->set_role(v1::CHAT_ROLE_ASSISTANT);
    done.mutable_message()->add_parts()->set_text("said");
    if (of_whole) Lie(lie_, last);
    writer->Write(last);
    return Status::OK;
  }
};

}  // namespace

void AddExtensions(v1::Manifest& manifest) {
  manifest.mutable_auth()->add_schemes("bearer");
  manifest.mutable_storage();
  manifest.mutable_notify();
  manifest.mutable_hook()->add_joinpoints("response.before_final");
  v1::HttpRoute& route = *manifest.mutable_http()->add_routes();
  route.set_method("GET");
  route.set_path("/said");
  manifest.mutable_model()->add_models()->set_id("parrot");
  v1::TaskManifest& task = *manifest.add_tasks();
  task.set_name("look");
  task.set_every_ms(3'600'000);
  task.set_at_start(true);
}

std::vector<std::unique_ptr<grpc::Service>> MakeExtensions(const std::string& lie) {
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(std::make_unique<Auth>(lie));
  services.push_back(std::make_unique<Storage>(lie));
  services.push_back(std::make_unique<Channel>(lie));
  services.push_back(std::make_unique<Task>(lie));
  services.push_back(std::make_unique<Hook>(lie));
  services.push_back(std::make_unique<Http>(lie));
  services.push_back(std::make_unique<Model>(lie));
  return services;
}

}  // namespace talon::test_plugin
