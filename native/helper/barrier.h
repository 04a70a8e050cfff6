// Keeps out of one interface what is forwarded for others, such as a container behind our own address, and what users send who don't belong there.
#pragma once
#include <cstdint>
#include <string>

#include "../owners/subjects.h"

namespace helper {

// A firewall table (nftables) that belongs to this object's socket: nobody else can change it, and the kernel removes it
// with the socket, however the process ends.
class Barrier {
 public:
  Barrier() = default;
  ~Barrier();
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  // What is forwarded is dropped, both ways. In force when it returns 0; else the errno with which the kernel refused it: before
  // Linux 5.12, or without nftables.
  int raise(uint32_t interface);
  // From here on what sockets of any other user send is refused; once, and 0 or the errno as for `raise`.
  int admitOnly(const owners::Subjects& users);

 private:
  int fd_ = -1;
  uint32_t interface_ = 0;
  std::string table_;
};

}  // namespace helper
