// shipworm-helper: the only part of Shipworm that is root. Makes the network adapter for one client and leaves with it.
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "../owners/subjects.h"
#include "confine.h"
#include "daemon.h"
#include "session.h"

namespace {

constexpr int kExitUsage = 2;
constexpr int kExitNotRoot = 4;
constexpr const char* kDefaultPath = "/run/shipworm-helper/helper.sock";
// The first descriptor that systemd hands over (sd_listen_fds(3)).
constexpr int kActivatedFd = 3;

constexpr const char* kUsage =
    "Usage: shipworm-helper --listen [PATH] [--allow-uid USER | --allow-server-uid USER | --decides-for USER:USER[,USER]...]...\n"
    "                                                            serve root and these users (names or numbers) on a socket;\n"
    "                                                            the first one's client decides about programs of the others\n"
    "       shipworm-helper --stdin                              serve the user who ran pkexec, on standard input\n"
    "       shipworm-helper --fd N --uid N                       serve one client on an inherited socket\n";

int stop(int code, const char* sentence) {
  std::fprintf(stderr, "shipworm-helper: %s\n", sentence);
  return code;
}

bool number(const char* text, unsigned long limit, unsigned long& value) {
  if (!text || *text < '0' || *text > '9') return false;
  char* end = nullptr;
  errno = 0;
  value = strtoul(text, &end, 10);
  return errno == 0 && *end == 0 && value <= limit;
}

// (uid_t)-1 means "no change" to system calls.
constexpr unsigned long kMaxUser = 0xfffffffe;
constexpr unsigned long kMaxDescriptor = 1 << 20;

// A number, or the name of a user of this machine.
bool userOf(const char* text, uid_t& user) {
  unsigned long value = 0;
  if (number(text, kMaxUser, value)) {
    user = static_cast<uid_t>(value);
    return true;
  }
  const passwd* entry = text && *text ? getpwnam(text) : nullptr;
  if (entry) user = entry->pw_uid;
  return entry != nullptr;
}

bool seqpacketSocket(int fd) {
  int type = 0, domain = 0;
  socklen_t length = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET &&
         getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

int serveOne(int fd, uid_t user) {
  if (!seqpacketSocket(fd)) return stop(1, "There is no client's socket; Shipworm starts this program itself.");
  uid_t peer = 0;
  if (!helper::peerUser(fd, peer) || (peer != 0 && peer != user)) return stop(1, "The client belongs to another user.");
  // As standard input it would be replaced by /dev/null.
  const int client = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (client < 0) return stop(1, "Too many descriptors are open.");
  helper::closeOthers({client});
  return helper::serve(client, -1, true);
}

// "CLIENT:USER,USER". Empty when it is understood, else what is wrong with it.
std::string readDecidesFor(const std::string& text, helper::Users& users) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos || colon + 1 == text.size()) return "--decides-for takes CLIENT:USER[,USER]...";
  uid_t client = 0, user = 0;
  for (size_t from = 0, to = colon; from < text.size(); from = to + 1, to = std::min(text.find(',', from), text.size())) {
    const std::string name = text.substr(from, to - from);
    if (!userOf(name.c_str(), user)) return "There is no user " + name + " on this machine.";
    if (from == 0) client = user;
    else users.decidesFor[client].push_back(user);
  }
  const auto serves = [&](const std::vector<uid_t>& list) { return std::find(list.begin(), list.end(), client) != list.end(); };
  if (!serves(users.allowed) && !serves(users.servers)) return "Before --decides-for " + text + " comes --allow-uid " + text.substr(0, colon) + ".";
  if (users.decidesFor[client].size() > owners::kMaxOthers) return "--decides-for names too many users for one client.";
  return "";
}

int listenFor(int argc, char** argv) {
  std::string path = kDefaultPath;
  helper::Users users;
  for (int i = 2; i < argc; i++) {
    const std::string_view flag = argv[i];
    if ((flag == "--allow-uid" || flag == "--allow-server-uid") && i + 1 < argc) {
      uid_t user = 0;
      if (!userOf(argv[++i], user)) return stop(kExitUsage, (std::string("There is no user ") + argv[i] + " on this machine.").c_str());
      (flag == "--allow-uid" ? users.allowed : users.servers).push_back(user);
    } else if (flag == "--decides-for" && i + 1 < argc) {
      const std::string wrong = readDecidesFor(argv[++i], users);
      if (!wrong.empty()) return stop(kExitUsage, wrong.c_str());
    } else if (i == 2 && argv[i][0] == '/') {
      path = argv[i];
    } else {
      return stop(kExitUsage, kUsage);
    }
  }
  unsigned long count = 0, pid = 0;
  const bool activated = number(getenv("LISTEN_FDS"), 1, count) && count == 1 && number(getenv("LISTEN_PID"), kMaxUser, pid) &&
                         pid == static_cast<unsigned long>(getpid());
  if (activated && !seqpacketSocket(kActivatedFd)) return stop(1, "The socket from systemd must be ListenSequentialPacket=.");
  clearenv();
  helper::closeOthers({activated ? kActivatedFd : 0});
  return helper::listenAt(path, activated ? kActivatedFd : -1, users);
}

}  // namespace

int main(int argc, char** argv) {
  // A caller may have closed 0 to 2; what is opened next must not land there.
  int null = 0;
  while (null >= 0 && null <= 2) null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return 1;
  close(null);

  const std::string_view mode = argc > 1 ? argv[1] : "";
  const bool root = getuid() == 0 && geteuid() == 0;
  const auto notRoot = [] {
    return stop(kExitNotRoot, "Only root can make network adapters; Shipworm starts this program as root, by its service or pkexec.");
  };
  if (mode == "--listen") return root ? listenFor(argc, argv) : notRoot();
  unsigned long fd = 0, user = 0;
  if (mode == "--stdin" && argc == 2) {
    if (!root) return notRoot();
    const bool known = number(getenv("PKEXEC_UID"), kMaxUser, user);
    clearenv();
    return known ? serveOne(0, static_cast<uid_t>(user)) : stop(1, "PKEXEC_UID is missing; start it by pkexec.");
  }
  if (mode == "--fd" && argc == 5 && number(argv[2], kMaxDescriptor, fd) && std::string_view(argv[3]) == "--uid" &&
      number(argv[4], kMaxUser, user)) {
    if (!root) return notRoot();
    clearenv();
    return serveOne(static_cast<int>(fd), static_cast<uid_t>(user));
  }
  std::fputs(kUsage, stderr);
  return kExitUsage;
}
