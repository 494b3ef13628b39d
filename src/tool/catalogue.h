// SPDX-License-Identifier: Apache-2.0
// All tools by name. Names are checked here, once, for every source. Loop's thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "tool/schema.h"
#include "tool/tool.h"

namespace talon::tool {

struct Entry {
  std::shared_ptr<Tool> tool;  // shared: a call under way outlives a reload
  std::shared_ptr<const Schema> schema;
};

class Catalogue {
 public:
  // Refuses a bad name (AlreadyExists, InvalidArgument), a bad schema, a duplicate.
  absl::Status Add(std::shared_ptr<Tool> tool);
  // Puts `tools` in the place of all tools of `plugin` at once. Those that Add() would refuse are
  // left out; why is answered.
  std::vector<absl::Status> Replace(std::string_view plugin,
                                    std::vector<std::shared_ptr<Tool>> tools);
  // Removes every tool of `plugin`.
  void RemovePlugin(std::string_view plugin);
  // Exact name first; then '.' as "__", '-' and '_' alike, any case, a missing plugin prefix where
  // only one tool fits. Null when nothing or more than one fits.
  const Entry* Find(std::string_view name) const;
  // Ordered by name.
  std::vector<const Entry*> All() const;
  // The nearest existing names, for "did you mean"; at most 3.
  std::vector<std::string> Similar(std::string_view name) const;
  std::size_t size() const { return entries_.size(); }

 private:
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace talon::tool
