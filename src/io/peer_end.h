// SPDX-License-Identifier: Apache-2.0
// What became of a TCP client that ended its side of the connection. A client that only said its
// last word and one that is gone send the same FIN; but of a client on this machine the kernel
// knows whether its socket can still be read. Any thread; does not block.
#pragma once

namespace talon::io {

enum class PeerEnd {
  kReads,    // it still takes the answer
  kGone,     // nobody can read the answer any more
  kUnknown,  // it is on another machine, or the kernel does not tell (no sock_diag)
};

// `socket`: our end of the connection.
PeerEnd AskPeerEnd(int socket);

// The kernel's own probes, first after a minute: the socket reports an error when the other machine
// no longer knows the connection. Costs the process no wake-up.
void ProbePeer(int socket);

}  // namespace talon::io
