// Takes descriptors with a frame, looks what they are, and sets the buffers of sockets.
#include "buffers.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace helper {

namespace {

// Several milliseconds at 10 Gbit/s; the kernel's bound for all of UDP (net.ipv4.udp_mem) holds all the same.
constexpr int kSocketBuffer = 8 << 20;

int option(int fd, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0 ? -1 : value;
}

// Anything else has no such options, or other values of them.
bool isUdp(const owners::Descriptor& socket) {
  return option(socket.get(), SO_DOMAIN) == AF_INET && option(socket.get(), SO_TYPE) == SOCK_DGRAM &&
         option(socket.get(), SO_PROTOCOL) == IPPROTO_UDP;
}

}  // namespace

ssize_t receiveFrame(int connection, uint8_t* bytes, size_t room, std::vector<owners::Descriptor>& came) {
  alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * kMaxSockets)];
  iovec part{bytes, room};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = recvmsg(connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return got;
  for (cmsghdr* item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= item->cmsg_len; at += sizeof(int)) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(item) + at, sizeof fd);
      came.emplace_back(fd);
    }
  }
  // More than there may be.
  if (message.msg_flags & MSG_CTRUNC) came.clear();
  return got;
}

Answer growBuffers(std::span<const owners::Descriptor> sockets) {
  if (sockets.empty() || !std::all_of(sockets.begin(), sockets.end(), isUdp))
    return {Status::badArgument, 0, "One to eight UDP sockets over IPv4 must come with this command, and nothing else."};
  for (const owners::Descriptor& socket : sockets)
    for (const int force : {SO_RCVBUFFORCE, SO_SNDBUFFORCE})
      if (setsockopt(socket.get(), SOL_SOCKET, force, &kSocketBuffer, sizeof kSocketBuffer) < 0)
        return {Status::system, 0, std::string("The kernel gives the sockets no more room (") + std::strerror(errno) + ")."};
  return {};
}

}  // namespace helper
