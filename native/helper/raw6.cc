// Opens a raw socket that only sends.
#include "raw6.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace helper {

// IPPROTO_RAW implies IPV6_HDRINCL.
void RawSocket::open() {
  fd_ = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
  if (fd_ < 0) error_ = errno;
}

void RawSocket::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Answer RawSocket::take(int& fd) {
  if (taken_ || (fd_ < 0 && !error_)) return {Status::badOrder, 0, "A connection has one raw socket; use another connection."};
  if (error_) return {Status::system, 0, std::string("Opening a raw IPv6 socket failed (") + std::strerror(error_) + ")."};
  taken_ = true;
  fd = fd_;
  return {};
}

}  // namespace helper
