// SPDX-License-Identifier: Apache-2.0
// Precompiled for the rooms that run on the event loop. Sources still include what they use.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
