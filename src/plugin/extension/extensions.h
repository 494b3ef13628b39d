// SPDX-License-Identifier: Apache-2.0
// What plugins do for the daemon besides tools, in one place. Owned by daemon/; loop's thread.
#pragma once

#include <string>

#include "plugin/extension/auth.h"
#include "plugin/extension/http.h"
#include "plugin/extension/notify.h"
#include "plugin/extension/options.h"
#include "plugin/extension/storage.h"

namespace talon::plugin {

struct ExtensionOptions {
  std::string auth_plugin;
  StorageOptions storage;
  NotificationOptions notifications;
};

struct Extensions {
  // All must outlive this.
  Extensions(io::Loop& loop, Host& host, const Clock& clock, IdSource& ids,
             ExtensionOptions options)
      : auth(host, clock, std::move(options.auth_plugin)),
        values(host, clock, std::move(options.storage.plugin)),
        notifier(loop, host, clock, ids, std::move(options.notifications)),
        http(host, clock) {}

  AuthPoint auth;
  KeyValues values;
  Notifier notifier;
  HttpPoint http;
};

}  // namespace talon::plugin
