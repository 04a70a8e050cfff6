// Opens the UDP sockets of datapath and server.
#include "socket.h"

#include <linux/errqueue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace shipworm {

namespace {

constexpr int kSocketBuffer = 8 << 20;  // several milliseconds at 10 Gbit/s; the kernel grants what rmem_max allows
constexpr size_t kErrors = 32;                 // read at once

}  // namespace

int openUdpSocket(uint32_t ip, uint16_t port, SystemFailure& failure, bool shared) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    failure = {errno, "socket"};
    return -1;
  }
  // Who may, gets more than the system's own bound.
  for (const auto& [force, plain] : {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}})
    if (setsockopt(fd, SOL_SOCKET, force, &kSocketBuffer, sizeof kSocketBuffer) < 0)
      setsockopt(fd, SOL_SOCKET, plain, &kSocketBuffer, sizeof kSocketBuffer);
  const int off = IP_PMTUDISC_DONT, on = 1;
  if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &off, sizeof off) < 0 ||
      setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on) < 0) {
    failure = {errno, "setsockopt"};
    ::close(fd);
    return -1;
  }
  const sockaddr_in address = socketAddress(static_cast<EndpointKey>(ip) << 16 | port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    failure = {errno, "bind"};
    ::close(fd);
    return -1;
  }
  return fd;
}

void readErrorQueue(int socket, const std::function<void(EndpointKey to, uint8_t type, uint8_t code)>& each) {
  for (size_t i = 0; i < kErrors; i++) {
    uint8_t quoted[64];
    alignas(cmsghdr) uint8_t control[256];
    sockaddr_in name{};
    iovec part{quoted, sizeof quoted};
    msghdr message{};
    message.msg_name = &name;
    message.msg_namelen = sizeof name;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
      // An error whose message found no room in the queue stays on the socket, and whoever polls is told it for ever.
      int lone;
      socklen_t length = sizeof lone;
      getsockopt(socket, SOL_SOCKET, SO_ERROR, &lone, &length);
      return;
    }
    for (cmsghdr* item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
      if (item->cmsg_level != IPPROTO_IP || item->cmsg_type != IP_RECVERR) continue;
      sock_extended_err error;
      std::memcpy(&error, CMSG_DATA(item), sizeof error);
      // The kernel found our socket by the quoted datagram; `name` is where that was sent.
      if (error.ee_origin == SO_EE_ORIGIN_ICMP) each(endpointKey(name), error.ee_type, error.ee_code);
    }
  }
}

}  // namespace shipworm
