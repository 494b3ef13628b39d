// SPDX-License-Identifier: Apache-2.0
#include "base/cancel.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace talon {
namespace {

TEST(Cancel, DefaultTokenIsNeverCancelled) {
  CancelToken token;
  EXPECT_FALSE(token.cancelled());
  EXPECT_TRUE(token.status().ok());
  CancelRegistration registration = token.OnCancel([] { FAIL(); });
}

TEST(Cancel, CallbacksRunInOrderAndOnce) {
  CancelSource source;
  std::string order;
  auto a = source.token().OnCancel([&] { order += 'a'; });
  auto b = source.token().OnCancel([&] { order += 'b'; });
  source.Cancel(Cancelled("user asked"));
  source.Cancel(Cancelled("again"));
  EXPECT_EQ(order, "ab");
  EXPECT_EQ(Message(source.token().status()), "user asked");
}

TEST(Cancel, RunsAtOnceWhenAlreadyCancelled) {
  CancelSource source;
  source.Cancel(DeadlineExceeded("late"));
  int runs = 0;
  auto registration = source.token().OnCancel([&] { ++runs; });
  EXPECT_EQ(runs, 1);
}

TEST(Cancel, EndedRegistrationDoesNotRun) {
  CancelSource source;
  int runs = 0;
  {
    auto registration = source.token().OnCancel([&] { ++runs; });
  }
  auto moved_from = source.token().OnCancel([&] { runs += 10; });
  CancelRegistration kept = std::move(moved_from);
  kept = CancelRegistration();
  source.Cancel(Cancelled("x"));
  EXPECT_EQ(runs, 0);
}

TEST(Cancel, CallbackMayEndALaterRegistration) {
  CancelSource source;
  std::string order;
  std::optional<CancelRegistration> second;
  auto first = source.token().OnCancel([&] {
    order += 'a';
    second.reset();
  });
  second = source.token().OnCancel([&] { order += 'b'; });
  source.Cancel(Cancelled("x"));
  EXPECT_EQ(order, "a");
}

TEST(Cancel, CallbackMayDestroyTheSourceAndItsOwnRegistration) {
  auto source = std::make_unique<CancelSource>();
  std::optional<CancelRegistration> own;
  int runs = 0;
  own = source->token().OnCancel([&] {
    own.reset();
    source.reset();
    ++runs;
  });
  source->Cancel(Cancelled("x"));
  EXPECT_EQ(runs, 1);
}

// Destroying one callback ends another's registration, inside the same table.
TEST(Cancel, RegistrationHeldByACallbackEndsWithIt) {
  CancelSource source;
  int runs = 0;
  auto inner = std::make_shared<CancelRegistration>(source.token().OnCancel([&] { ++runs; }));
  auto outer = source.token().OnCancel([&runs, inner = std::move(inner)] { ++runs; });
  outer = CancelRegistration();
  source.Cancel(Cancelled("x"));
  EXPECT_EQ(runs, 0);
}

TEST(Cancel, ChildFollowsParentAndNotTheReverse) {
  CancelSource parent;
  CancelSource child(parent.token());
  CancelSource other(parent.token());
  other.Cancel(Cancelled("other"));
  EXPECT_FALSE(parent.token().cancelled());
  EXPECT_FALSE(child.token().cancelled());
  parent.Cancel(DeadlineExceeded("turn over"));
  EXPECT_EQ(Message(child.token().status()), "turn over");
  EXPECT_EQ(Message(other.token().status()), "other");
}

TEST(Cancel, ChildOfCancelledParentIsBornCancelled) {
  CancelSource parent;
  parent.Cancel(Cancelled("gone"));
  EXPECT_EQ(Message(CancelSource(parent.token()).token().status()), "gone");
}

TEST(Cancel, ChildMayEndBeforeParentOrOutliveIt) {
  auto parent = std::make_unique<CancelSource>();
  {
    CancelSource child(parent->token());
  }
  CancelSource survivor(parent->token());
  parent.reset();
  EXPECT_FALSE(survivor.token().cancelled());
  survivor.Cancel(Cancelled("x"));
  EXPECT_TRUE(survivor.token().cancelled());
}

// A parent nobody else holds must not be kept alive by the callback it owns.
TEST(Cancel, ParentAndChildDoNotKeepEachOtherAlive) {
  auto witness = std::make_shared<int>(0);
  const std::weak_ptr<int> alive = witness;
  {
    CancelSource parent;
    CancelSource child(parent.token());
    parent.Cancel(Cancelled("x"));
    auto registration = parent.token().OnCancel([witness] {});
  }
  {
    CancelSource parent;
    CancelSource child(parent.token());
    auto registration = child.token().OnCancel([witness] {});
  }
  witness.reset();
  EXPECT_TRUE(alive.expired());
}

}  // namespace
}  // namespace talon
