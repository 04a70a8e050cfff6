// Names the counters of the datapath and holds them; any thread may add, any thread may read.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace shipworm {

// Names are stable: they show in `status` and in logs. The first block is shared with engine/datapath/memory.ts.
#define SHIPWORM_COUNTERS(X)                                              \
  X(packetsIn)      /* passed from a peer to the adapter */               \
  X(packetsOut)     /* passed from the adapter to a peer */               \
  X(bytesIn)        /* of those packets */                                \
  X(bytesOut)                                                             \
  X(droppedIn)      /* verdict drop, from a peer */                       \
  X(droppedOut)     /* verdict drop, from the adapter */                  \
  X(upcallsServer)  /* handed up, by ring */                              \
  X(upcallsAdapter)                                                       \
  X(upcallsOther)                                                         \
  X(lostServer)     /* ring was full */                                   \
  X(lostAdapter)                                                          \
  X(lostOther)      /* or a stranger's budget was used up */              \
  X(restingDropped) /* the verdict it rested for was no, or came too late, or there was no room to rest */ \
  X(transmitted)    /* calls of transmit and deliver that succeeded */    \
  X(delivered)                                                            \
  X(transmitErrors) /* failed sends and writes, of calls and packets */   \
  X(deliverErrors)                                                        \
  X(sendNoBuffers)  /* the failed sends by cause: EAGAIN, ENOBUFS */      \
  X(sendRefused)    /* EPERM, EACCES: a firewall */                       \
  X(sendUnreachable) /* no route, link down, earlier ICMP errors */         \
  X(sendTooBig)     /* EMSGSIZE */                                        \
  X(sendInvalid)    /* bad arguments, and every other cause */            \
  X(writeNoBuffers) /* the failed writes by cause: EAGAIN, ENOBUFS */     \
  X(writeDown)      /* EIO: the adapter is down */                        \
  X(writeInvalid)   /* bad arguments, and every other cause */            \
  X(receivedTooBig) /* longer than any Teredo datagram or packet */       \
  X(adapterHeader)  /* virtio_net_hdr asks for what was not negotiated */ \
  X(segmentedRefused) /* a UDP_SEGMENT send that a route refused: singly from then on */ \
  X(adapterSuper)   /* super-packets from the adapter, and to it */      \
  X(adapterJoined)                                                        \
  X(receiveCalls)   /* recvmmsg and sendmmsg calls that moved packets */  \
  X(sendCalls)

enum class Counter : size_t {
#define X(name) name,
  SHIPWORM_COUNTERS(X)
#undef X
      count
};

inline constexpr const char* kCounterNames[] = {
#define X(name) #name,
    SHIPWORM_COUNTERS(X)
#undef X
};

class Counters {
 public:
  void add(Counter counter, uint64_t n = 1) {
    values_[static_cast<size_t>(counter)].fetch_add(n, std::memory_order_relaxed);
  }
  uint64_t read(size_t i) const { return values_[i].load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> values_[static_cast<size_t>(Counter::count)] = {};
};

}  // namespace shipworm
