// shipworm-sweep PATH: waits until its standard input ends, then removes the Unix socket at PATH if nobody listens there any more.
//
// A client that is killed can't remove its control socket; this process holds the other end of a pipe from it and can. It
// stays in the socket's folder, so that a folder moved to that place meanwhile is not touched.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace {

// Two seconds in all: longer than a process takes to die, unless somebody else listens there.
constexpr int kTries = 100;
constexpr useconds_t kWaitMicroseconds = 20'000;

// True when connecting fails because no process listens; any other answer leaves the socket alone.
bool deserted(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) return false;
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const bool refused = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 && errno == ECONNREFUSED;
  close(fd);
  return refused;
}

void closeOthers() {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, 1U, ~0U, 0) == 0) return;
#endif
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const int last = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 65536));
  for (int fd = 1; fd < last; fd++) close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string path = argc == 2 ? argv[1] : "";
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash + 1 == path.size()) {
    std::fputs("Usage: shipworm-sweep /FOLDER/SOCKET   (removes a deserted socket when standard input ends)\n", stderr);
    return 2;
  }
  const std::string name = path.substr(slash + 1);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_IGN);
  setsid();  // fails only for a group leader, which has no terminal's signals to fear
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  closeOthers();
  if (chdir(slash == 0 ? "/" : path.substr(0, slash).c_str()) < 0) return 1;

  char bytes[256];
  for (;;) {
    const ssize_t got = read(0, bytes, sizeof bytes);
    if (got == 0 || (got < 0 && errno != EINTR)) break;
  }
  // A dying process lets go of its descriptors one by one: the pipe may end while the socket still listens.
  for (int tries = 0; tries < kTries; tries++) {
    struct stat info{};
    if (lstat(name.c_str(), &info) < 0 || !S_ISSOCK(info.st_mode)) return 0;
    if (deserted(name)) {
      unlink(name.c_str());
      return 0;
    }
    usleep(kWaitMicroseconds);
  }
  return 0;
}
