// Listens as root's service and starts a session, in a process of its own, for each client that may have one.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

namespace helper {

// User id at the other end of a Unix socket; false when it can't be told.
bool peerUser(int fd, uid_t& user);

// Serves users in `allowed`, those in `servers` also as servers, and root, until TERM or INT. `activated` is a listening descriptor from systemd, or -1: then a socket is
// made at `path` with mode 0666 and removed again. Its sessions end with it, however it ends.
int listenAt(const std::string& path, int activated, const std::vector<uid_t>& allowed, const std::vector<uid_t>& servers);

}  // namespace helper
