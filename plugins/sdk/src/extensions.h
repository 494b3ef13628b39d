// SPDX-License-Identifier: Apache-2.0
// The extension points a plugin serves beside its tools, between the messages of talon.v1 and an
// author's classes. Thread-safe. Internal to the SDK.
#pragma once

#include "absl/status/status.h"
#include "talon/sdk/auth.h"
#include "talon/sdk/hook.h"
#include "talon/sdk/http.h"
#include "talon/sdk/model.h"
#include "talon/sdk/notify.h"
#include "talon/sdk/plugin.h"
#include "talon/sdk/schedule.h"
#include "talon/sdk/storage.h"
#include "talon/v1/auth.pb.h"
#include "talon/v1/hook.pb.h"
#include "talon/v1/http.pb.h"
#include "talon/v1/notify.pb.h"
#include "talon/v1/plugin.pb.h"
#include "talon/v1/schedule.pb.h"
#include "talon/v1/storage.pb.h"

namespace talon::sdk {

// What the plugin also derives from; null where it does not.
struct Extensions {
  explicit Extensions(Plugin& plugin);

  // OK when what they declare can be served.
  absl::Status Validate() const;
  void Describe(v1::Manifest& manifest) const;

  AuthProvider* auth;
  Storage* storage;
  NotificationChannel* notify;
  ScheduledTasks* tasks;
  Hook* hook;
  HttpEndpoint* http;
  ModelProvider* model;
};

absl::Status Authenticate(AuthProvider& auth, const v1::AuthenticateRequest& request,
                          const CallInfo& call, v1::AuthenticateResponse& response);
absl::Status Get(Storage& storage, const v1::GetRequest& request, const CallInfo& call,
                 v1::GetResponse& response);
absl::Status Put(Storage& storage, const v1::PutRequest& request, const CallInfo& call,
                 v1::PutResponse& response);
absl::Status Delete(Storage& storage, const v1::DeleteRequest& request, const CallInfo& call,
                    v1::DeleteResponse& response);
absl::Status List(Storage& storage, const v1::ListRequest& request, const CallInfo& call,
                  v1::ListResponse& response);
absl::Status Notify(NotificationChannel& channel, const v1::NotifyRequest& request,
                    const CallInfo& call, v1::NotifyResponse& response);
absl::Status RunTask(ScheduledTasks& tasks, const v1::RunTaskRequest& request, const CallInfo& call,
                     v1::RunTaskResponse& response);
absl::Status Advise(Hook& hook, const v1::AdviseRequest& request, const CallInfo& call,
                    v1::AdviseResponse& response);
absl::Status Handle(HttpEndpoint& http, const v1::HttpRequest& request, const CallInfo& call,
                    v1::HttpResponse& response);

Actor ActorOf(const v1::Actor& actor);

}  // namespace talon::sdk
