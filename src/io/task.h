// SPDX-License-Identifier: Apache-2.0
// Coroutines of the event loop. A Task starts when it is awaited (or spawned), runs on the loop's
// one thread and never throws across a room's border: it returns Status or StatusOr. Write every
// argument of a coroutine by value or as a reference to something that outlives it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace talon::io {

template <class T>
using Task = boost::asio::awaitable<T>;

}  // namespace talon::io
