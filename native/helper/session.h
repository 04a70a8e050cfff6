// Serves one client on one SEQPACKET socket until it goes.
#pragma once
#include <sys/types.h>

#include <vector>

namespace helper {

// `mayBeServer`: the client may take the role of a server, whose raw socket can send with any source address.
// `others`: users whose programs the client decides about besides its own.
// Gives up all privileges but the one for network devices, then answers frames on `client`. Returns when the client, the adapter
// or `parent` (a pipe whose other end the daemon holds; -1 without one) is gone. Never touches the adapter on leaving: the
// kernel removes it, with its addresses and routes, as the client's descriptors close.
int serve(int client, int parent, bool mayBeServer, const std::vector<uid_t>& others = {});

}  // namespace helper
