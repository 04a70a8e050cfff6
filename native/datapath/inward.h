// The way from the peers to the adapter: reads one socket in batches, judges by the tables, and joins what belongs together.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>

#include "coalesce.h"
#include "lane.h"
#include "resting.h"

namespace shipworm {

class Inward : public Lane {
 public:
  // Budgets of their own, so that junk can't crowd out an advertisement.
  Ring serverRing{64 << 10, 256}, otherRing{512 << 10, 4096};

  // `tun`: what is delivered goes to it; belongs to somebody else, like `socket`.
  Inward(State& state, int tun);
  ~Inward() override { stop(); }
  // Null, with errno set, when it can't wait for anything.
  static std::unique_ptr<Inward> open(State& state, int tun);

  // Which super-packets the adapter takes. Before the thread begins.
  void allow(bool tcp, bool udp) { coalescer_.allow(tcp, udp); }
  // While the thread is stopped: the socket to read. False with errno set.
  bool use(int socket);
  // Packets rest here until a flow changes.
  bool rests() const { return rests_.load(); }

 private:
  static constexpr size_t kBatch = 32;
  struct Datagrams {
    uint8_t bytes[kBatch][kSuperBytes];
    mmsghdr messages[kBatch];
    iovec parts[kBatch];
    sockaddr_in names[kBatch];
    alignas(cmsghdr) uint8_t control[kBatch][CMSG_SPACE(sizeof(int))];
  };

  void turn() override;
  void readSocket(int flags, size_t most);
  // Makes the first `count` ready for what comes next.
  void clear(size_t count);
  void handle(size_t count);
  void take(uint8_t* bytes, size_t length, EndpointKey from, double now);
  void pass(uint8_t* bytes, size_t length);
  void rest(const uint8_t* bytes, size_t length, EndpointKey from);
  void release();
  Outcome classify(const uint8_t* bytes, size_t length, EndpointKey from, double now);
  void deliver(const Write& write);

  const int tun_;
  int socket_ = -1;
  size_t refused_ = 0;  // strangers of this batch without a budget
  bool refusedAll_ = false;
  bool dense_ = false;  // the last batch came hard upon the one before
  bool alone_ = false;  // nothing to join
  std::unique_ptr<Datagrams> in_;
  Coalescer coalescer_;
  Resting resting_;
  std::atomic<bool> rests_{false};
  uint64_t seenChanges_ = 0;  // of flows, when what rests was judged last
};

}  // namespace shipworm
