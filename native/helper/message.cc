// Opens netlink sockets, sends messages to the kernel and reads its answers.
#include "message.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

namespace helper {

int openNetlink(int protocol, uint32_t groups, int flags) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, protocol);
  if (fd < 0) return -1;
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  self.nl_groups = groups;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&self), sizeof self) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int sendNetlink(int fd, std::span<nlmsghdr* const> messages) {
  std::vector<iovec> parts;
  for (nlmsghdr* message : messages) parts.push_back({message, message->nlmsg_len});
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  msghdr all{};
  all.msg_name = &kernel;
  all.msg_namelen = sizeof kernel;
  all.msg_iov = parts.data();
  all.msg_iovlen = parts.size();
  return sendmsg(fd, &all, 0) < 0 ? errno : 0;
}

int readNetlink(int fd, const std::function<bool(const nlmsghdr*)>& visit) {
  for (;;) {
    alignas(nlmsghdr) uint8_t bytes[16 << 10];
    sockaddr_nl from{};
    socklen_t fromLength = sizeof from;
    const ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &fromLength);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    // Only the kernel has port 0; any process may send to a netlink socket.
    if (from.nl_pid != 0) continue;
    auto left = static_cast<unsigned>(got);
    for (auto* item = reinterpret_cast<const nlmsghdr*>(bytes); NLMSG_OK(item, left); item = NLMSG_NEXT(item, left))
      if (visit(item)) return 0;
  }
}

}  // namespace helper
