// Keeps what is forwarded for others, such as a container behind our own address, out of one interface, both ways.
#pragma once
#include <cstdint>

namespace helper {

// A firewall table (nftables) that belongs to this object's socket: nobody else can change it, and the kernel removes it
// with the socket, however the process ends.
class Barrier {
 public:
  Barrier() = default;
  ~Barrier();
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  // In force when it returns 0; else the errno with which the kernel refused it: before Linux 5.12, or without nftables.
  int raise(uint32_t interface);

 private:
  int fd_ = -1;
};

}  // namespace helper
