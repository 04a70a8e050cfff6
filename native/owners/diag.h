// Asks the kernel about sockets by sock_diag(7): which one a packet belongs to, which ones wait for strangers, which ones are gone.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "bpf.h"
#include "tables.h"

namespace owners {

struct SocketRow {
  uint64_t cookie = 0;
  uint32_t inode = 0;  // 0: no process holds it any more, or it waits to be accepted
  uint32_t user = 0;
  uint8_t protocol = 0;
  uint8_t state = 0;
  uint16_t localPort = 0;  // host order
  Address local{};
  bool v6only = false;
};

constexpr uint8_t kStateEstablished = 1, kStateClose = 7, kStateListen = 10;

// IPv6 sockets of this network namespace.
class Diag {
 public:
  // 0 or errno.
  int open();
  // The socket to which the kernel would give a packet of this flow that came in by `interface`; none: nobody would get it.
  std::optional<SocketRow> exact(const FlowKey& flow, uint32_t interface);
  // Every socket of `protocol` in one of `states` (bits).
  std::vector<SocketRow> all(uint8_t protocol, uint32_t states);
  // Tells of sockets that go, or no longer.
  void watchEnds(bool on);
  // Readable when sockets went.
  int watchFd() const { return watch_.get(); }
  // Cookies of those that went. False: some went untold.
  bool readGone(const std::function<void(uint64_t cookie)>& gone);

 private:
  Descriptor ask_, watch_;
  uint32_t sequence_ = 0;
  bool watching_ = false;
};

}  // namespace owners
