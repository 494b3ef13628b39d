// SPDX-License-Identifier: Apache-2.0
// Hostile values for the fields of messages, one field at a time, found by the messages'
// descriptors: a field that is added to the contract is lied in as well.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>
#include <vector>

namespace talon::test_plugin {

// Every lie there is, as "<message>.<field>[.<field>…]=<kind>".
std::vector<std::string> AllLies();

// Tells `lie` in `message`, when it is one about it.
void Lie(std::string_view lie, google::protobuf::Message& message);

}  // namespace talon::test_plugin
