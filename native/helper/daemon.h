// Listens as root's service and starts a session, in a process of its own, for each client that may have one.
#pragma once
#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace helper {

// User id at the other end of a Unix socket; false when it can't be told.
bool peerUser(int fd, uid_t& user);

// Whom the service serves besides root.
struct Users {
  std::vector<uid_t> allowed;
  std::vector<uid_t> servers;                     // also as servers
  std::map<uid_t, std::vector<uid_t>> decidesFor;  // client -> whose programs it decides about besides its own
};

// Serves until TERM or INT. `activated` is a listening descriptor from systemd, or -1: then a socket is made at `path` with mode 0666
// and removed again. Its sessions end with it, however it ends.
int listenAt(const std::string& path, int activated, const Users& users);

}  // namespace helper
