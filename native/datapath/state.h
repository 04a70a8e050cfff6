// Holds what the datapath's writer changes and its threads read: tables, addresses, settings, counters.
#pragma once
#include <sys/uio.h>

#include <atomic>
#include <functional>
#include <unordered_set>
#include <vector>

#include "counters.h"
#include "grace.h"
#include "packet.h"
#include "sender.h"
#include "sources.h"
#include "tables.h"
#include "tap.h"

namespace shipworm {

// Milliseconds of CLOCK_BOOTTIME: never steps back, counts suspend.
double bootMs();
// As many of its bits as tell two moments of one day apart.
inline uint32_t clockBits(double ms) { return static_cast<uint32_t>(static_cast<uint64_t>(ms)); }

// A system call that failed.
struct SystemFailure {
  int error = 0;
  const char* call = "";
};

struct DatapathConfig {
  std::vector<int> tun;  // owned by the datapath from here on; one thread for each that reads it
  bool vnetHeader = false;
  bool offloads = true;  // whatever of them the kernel has
  uint32_t ip = 0;
  uint16_t port = 0;
  double validMs = 0;
  uint32_t maxPeers = 0, maxFlows = 0;
  // Upcalls wait, or a thread failed. Called from the threads and from `drain`.
  std::function<void()> wake;
};

// Longer than any datagram that carries a packet of the 1280 bytes of a Teredo link, indicators and trailers included.
inline constexpr size_t kPacketBytes = 4096;
// The most that one read gives: a super-packet and its header; datagrams of one sender that the kernel joined.
inline constexpr size_t kSuperBytes = kVnetHeader + 65535 + 1;

// passed: the tables let it through. up: to the engine. stranger: up, from nobody that the tables know. waits: the engine knows of its flow.
enum class Outcome { passed, dropped, up, stranger, waits };

class State {
 public:
  explicit State(DatapathConfig config);

  // By the flow table, or by the default. Any thread inside a grace period.
  Outcome verdict(const Packet& packet, bool inward, double now) const;
  bool isOurs(const Address& address) const;
  // One packet is one write, and the kernel keeps them apart. Any thread; false with errno set, and counted, when the adapter refuses.
  bool writeAdapter(int tun, iovec* parts, int count);
  bool writePlain(int tun, const uint8_t* bytes, size_t length);
  // Wakes the writer, unless it was woken and has not looked yet. Any thread.
  void wakeWriter();
  // The thread that calls it ends; `text` is one sentence, a literal. The first one counts.
  void fail(const char* text);
  bool failed() const { return failure.load(std::memory_order_relaxed) != nullptr; }

  struct Ranges {
    std::vector<Range> accept, except;
  };
  const DatapathConfig config;
  Grace grace;
  Table<Peer> peers;
  Table<Flow> flows;
  Published<std::vector<Address>> addresses;
  Published<Ranges> ranges;
  Published<std::unordered_set<EndpointKey>> servers;
  std::atomic<bool> defaultPass{false};
  std::atomic<int> probeId{-1};
  // Moves on before and after each change of a flow.
  std::atomic<uint64_t> flowChanges{0};
  std::atomic<bool> wakePending{false};
  std::atomic<const char*> failure{nullptr};
  Counters counters;
  Tap tap;
  // Datagrams of strangers handed up a second, of one address and of all of them. The engine looks at one in some 50 us: one address gets a
  // fortieth of a core and all together a quarter of it; what comes at once gets as much room as a ring has.
  SourceLimit stranger{500, 1000, 4096};
  SourceLimit strangers{5000, 4096, 1};
};

}  // namespace shipworm
