// Opens the UDP sockets of datapath and server.
#include "socket.h"

#include <unistd.h>

#include <utility>

namespace shipworm {

namespace {

constexpr int kSocketBuffer = 8 << 20;  // several milliseconds at 10 Gbit/s; the kernel grants what rmem_max allows

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

}  // namespace shipworm
