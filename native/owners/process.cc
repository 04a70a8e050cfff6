// Forks, waits for its orders, gives up privileges, serves.
#include "process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace owners {

namespace {

// A few look-ups at most are before it; longer than this it hangs.
constexpr int kOrderMs = 3'000;

// One message: a Start, and the stream of the engine.
bool receive(int control, Start& start, int& engine) {
  alignas(cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(int))] = {};
  iovec part{&start, sizeof start};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = bytes;
  message.msg_controllen = sizeof bytes;
  ssize_t got;
  do got = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  const cmsghdr* item = got == sizeof start ? CMSG_FIRSTHDR(&message) : nullptr;
  if (!item || item->cmsg_type != SCM_RIGHTS || item->cmsg_len != CMSG_LEN(sizeof(int))) return false;
  std::memcpy(&engine, CMSG_DATA(item), sizeof engine);
  return true;
}

[[noreturn]] void serve(int control, bool (*keepPrivileges)()) {
  Start start{};
  int engine = -1;
  if (!receive(control, start, engine)) _exit(0);
  Service service(engine, start);
  if (!service.open() || !keepPrivileges()) _exit(1);
  service.run(control);
  _exit(0);
}

}  // namespace

bool OwnersProcess::fork(bool (*keepPrivileges)()) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return false;
  control_.reset(pair[0]);
  Descriptor theirs(pair[1]);
  const pid_t child = ::fork();
  if (child < 0) control_.reset();
  if (child != 0) return child > 0;
  control_.reset();
  // A signal for the terminal's programs is not for it; it ends with the session.
  for (const int number : {SIGINT, SIGHUP, SIGPIPE}) signal(number, SIG_IGN);
  serve(theirs.release(), keepPrivileges);
}

// It answers each order with a byte.
bool OwnersProcess::order(const AddressOrder& order) {
  if (!begun_) return true;
  uint8_t done = 0;
  pollfd item{control_.get(), POLLIN, 0};
  return send(control_.get(), &order, sizeof order, MSG_NOSIGNAL) == sizeof order && poll(&item, 1, kOrderMs) == 1 &&
         recv(control_.get(), &done, sizeof done, 0) == 1 && done == 1;
}

Descriptor OwnersProcess::begin(const Start& start) {
  int pair[2];
  if (begun_ || !control_.valid() || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return Descriptor();
  Descriptor ours(pair[0]), theirs(pair[1]);
  alignas(cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(int))] = {};
  Start body = start;
  iovec part{&body, sizeof body};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = bytes;
  message.msg_controllen = sizeof bytes;
  cmsghdr* item = CMSG_FIRSTHDR(&message);
  item->cmsg_level = SOL_SOCKET;
  item->cmsg_type = SCM_RIGHTS;
  item->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = theirs.get();
  std::memcpy(CMSG_DATA(item), &fd, sizeof fd);
  if (sendmsg(control_.get(), &message, MSG_NOSIGNAL) < 0) return Descriptor();
  begun_ = true;
  return ours;
}

}  // namespace owners
