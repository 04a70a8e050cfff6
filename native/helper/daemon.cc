// The service: one socket, a bounded number of sessions.
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "confine.h"
#include "session.h"

namespace helper {

namespace {

// One client is the rule; the rest is room for those that are just leaving.
constexpr int kMaxSessions = 16;

volatile sig_atomic_t ending = 0;

void onEnd(int) { ending = 1; }
void onChild(int) {}

int complain(const std::string& sentence) {
  std::fprintf(stderr, "shipworm-helper: %s\n", sentence.c_str());
  return 1;
}

// Makes the listening socket; -1 after a complaint. `made` is then the socket's file, to be removed only while it is still this one.
int makeSocket(const std::string& path, struct stat& made) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path[0] != '/' || path.size() >= sizeof address.sun_path) {
    complain("The socket needs an absolute path of at most 107 bytes.");
    return -1;
  }
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  const std::string folder = path.substr(0, std::max<size_t>(path.rfind('/'), 1));
  struct stat info{};
  umask(022);
  if (mkdir(folder.c_str(), 0755) < 0 && errno != EEXIST) {
    complain("The folder " + folder + " could not be made (" + std::strerror(errno) + ").");
    return -1;
  }
  if (stat(folder.c_str(), &info) < 0 || info.st_uid != 0 || (info.st_mode & 022)) {
    complain("The folder " + folder + " must belong to root and be writable by root only.");
    return -1;
  }
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode) || connect(fd, name, sizeof address) == 0 || errno != ECONNREFUSED) {
      complain(path + " is in use; another helper may be running.");
      close(fd);
      return -1;
    }
    unlink(path.c_str());
  }
  umask(0111);
  if (bind(fd, name, sizeof address) < 0 || listen(fd, 8) < 0 || lstat(path.c_str(), &made) < 0) {
    complain(path + " could not be made (" + std::strerror(errno) + ").");
    close(fd);
    return -1;
  }
  return fd;
}

void removeSocket(const std::string& path, const struct stat& made) {
  struct stat now{};
  if (lstat(path.c_str(), &now) == 0 && now.st_ino == made.st_ino && now.st_dev == made.st_dev) unlink(path.c_str());
}

// Only the handlers of the daemon itself are undone: a session sets its own.
[[noreturn]] void runSession(int client, int alive, bool mayBeServer, const std::vector<uid_t>& others, const sigset_t& before) {
  for (const int number : {SIGTERM, SIGINT, SIGCHLD}) signal(number, SIG_DFL);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  closeOthers({std::min(client, alive), std::max(client, alive)});
  _exit(serve(client, alive, mayBeServer, others));
}

}  // namespace

bool peerUser(int fd, uid_t& user) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || length != sizeof peer) return false;
  user = peer.uid;
  return true;
}

int listenAt(const std::string& path, int activated, const Users& users) {
  const auto in = [](const std::vector<uid_t>& list, uid_t user) { return std::find(list.begin(), list.end(), user) != list.end(); };
  struct stat made{};
  const int listener = activated >= 0 ? activated : makeSocket(path, made);
  if (listener < 0) return 1;
  // The sessions poll `alive[0]`; it hangs up when this process, the only holder of the other end, is gone.
  int alive[2];
  if (pipe2(alive, O_CLOEXEC) < 0 || !confine(Keep::daemon)) return complain("Its privileges could not be given up.");
  // Signals are let in only while waiting.
  sigset_t blocked, before;
  sigemptyset(&blocked);
  for (const int number : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&blocked, number);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  struct sigaction action{};
  action.sa_handler = onEnd;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  action.sa_handler = onChild;
  sigaction(SIGCHLD, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);

  int sessions = 0;
  while (!ending) {
    pollfd item{listener, POLLIN, 0};
    const int ready = ppoll(&item, 1, nullptr, &before);
    while (waitpid(-1, nullptr, WNOHANG) > 0) sessions--;
    if (ready <= 0) continue;
    const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    uid_t user = 0;
    const bool known = peerUser(client, user);
    const bool mayBeServer = known && (user == 0 || in(users.servers, user));
    const bool may = mayBeServer || (known && in(users.allowed, user));
    if (may && sessions < kMaxSessions) {
      const pid_t child = fork();
      if (child == 0) {
        close(alive[1]);
        close(listener);
        const auto others = users.decidesFor.find(user);
        runSession(client, alive[0], mayBeServer, others == users.decidesFor.end() ? std::vector<uid_t>() : others->second, before);
      }
      if (child > 0) sessions++;
    }
    close(client);
  }
  if (activated < 0) removeSocket(path, made);
  return 0;
}

}  // namespace helper
