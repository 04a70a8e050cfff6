// States the datapath: a thread that moves packets between adapter and UDP socket by three tables, and sends every miss up.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "coalesce.h"
#include "counters.h"
#include "grace.h"
#include "packet.h"
#include "ring.h"
#include "sender.h"
#include "sources.h"
#include "tables.h"

namespace shipworm {

// Milliseconds of CLOCK_BOOTTIME: never steps back, counts suspend.
double bootMs();

// A system call that failed.
struct SystemFailure {
  int error = 0;
  const char* call = "";
};

struct DatapathConfig {
  std::vector<int> tun;  // owned by the datapath from here on
  bool vnetHeader = false;
  bool offloads = true;  // whatever of them the kernel has
  uint32_t ip = 0;
  uint16_t port = 0;
  double validMs = 0;
  uint32_t maxPeers = 0, maxFlows = 0;
  // Upcalls wait, or the thread failed. Called from the thread and from `drain`.
  std::function<void()> wake;
};

// All public members belong to one thread, the writer of the tables (JavaScript's).
class Datapath {
 public:
  // Null, with `failure` set and every descriptor closed, when the socket can't be had.
  static std::unique_ptr<Datapath> open(DatapathConfig config, SystemFailure& failure);
  ~Datapath();
  Datapath(const Datapath&) = delete;
  Datapath& operator=(const Datapath&) = delete;

  void setAddresses(std::vector<Address> addresses);
  // Addresses that are ours too: all in one of `accept` and in none of `except`.
  void setRanges(std::vector<Range> accept, std::vector<Range> except);
  void setServers(std::unordered_set<EndpointKey> servers);
  bool setPeer(const Address& address, EndpointKey endpoint, double receivedMs);
  void removePeer(const Address& address) { peers_.erase(address); }
  const Peer* readPeer(const Address& address) const { return peers_.find(address); }
  bool setFlow(const FlowKey& key, bool drop);
  void removeFlow(const FlowKey& key) { flows_.erase(key); }
  void clearFlows() { flows_.clear(); }
  void setDefaultPass(bool pass) { defaultPass_.store(pass); }
  void setProbeId(uint16_t identifier) { probeId_.store(identifier); }
  void transmit(uint32_t ip, uint16_t port, const uint8_t* bytes, size_t length);
  void deliver(const uint8_t* bytes, size_t length);
  size_t drain(uint8_t* into, size_t room);

  const Counters& counters() const { return counters_; }
  // Names of the offloads in force.
  const std::vector<std::string>& offloads() const { return offloads_; }
  // Datagrams that the kernel dropped because our receive buffer was full.
  uint64_t socketDrops();
  EndpointKey local() const;
  int bufferBytes(int option) const;
  // One sentence once the thread has ended by itself, else null.
  const char* failure() const { return failed_.load(std::memory_order_acquire) ? failureText_.c_str() : nullptr; }
  // Closes the UDP socket and forgets peers and flows; the adapter is still read, and everything goes up. Idempotent.
  void sleep();
  // The reverse of `sleep`; false, with `failure` set and still asleep, when the socket can't be had.
  bool wake(uint32_t ip, uint16_t port, SystemFailure& failure);
  // Ends the thread and closes every descriptor. Idempotent.
  void close();
  // Before the writer looks at the rings: from here on the thread wakes it again.
  void woken() { wakePending_.exchange(false); }

 private:
  static constexpr size_t kBatch = 32;
  // Longer than any datagram that carries a packet of the 1280 bytes of a Teredo link, indicators and trailers included.
  static constexpr size_t kPacketBytes = 4096;
  // The most that one read gives: a super-packet and its header; datagrams of one sender that the kernel joined.
  static constexpr size_t kSuperBytes = kVnetHeader + 65535 + 1;
  // What is read from the adapter lies one after another in here until it is sent: small enough for the cache.
  static constexpr size_t kArenaBytes = 4 * kSuperBytes;
  static constexpr uint64_t kUdpId = UINT64_MAX, kStopId = UINT64_MAX - 1;  // epoll; others: index of a TUN descriptor

  enum class Outcome { passed, dropped, up, stranger };  // stranger: up, from nobody that the tables know
  enum class RingName { server, adapter, other };

  explicit Datapath(DatapathConfig config);
  bool prepare(SystemFailure& failure);
  bool startThread(SystemFailure& failure);
  void stopThread();
  bool watch(int fd, uint32_t events, uint64_t id, int operation);

  void run();
  void fail(std::string text);
  void chooseAdapterOffloads();
  void chooseSocketOffloads();
  void readAdapter(int fd);
  void takeFromAdapter(uint8_t* bytes, const SuperPacket& packet, size_t length, double now);
  Outcome classifyOut(const uint8_t* bytes, size_t length, size_t packets, double now, EndpointKey& to);
  void flush(double now);
  void readSocket();
  void takeFromSocket(uint8_t* bytes, size_t length, EndpointKey from, double now);
  Outcome classifyIn(const uint8_t* bytes, size_t length, EndpointKey from, double now);
  void readErrors();
  Outcome verdict(const Packet& packet, bool inward) const;
  bool isOurs(const Address& address) const;
  bool writeAdapter(const uint8_t* bytes, size_t length);
  bool writeParts(iovec* parts, int count);
  void deliverJoined(const Write& write);
  void raise(RingName ring, Upcall head, const uint8_t* payload);
  void wakeWriter();

  const DatapathConfig config_;
  int udp_ = -1, epoll_ = -1, stop_ = -1;
  std::thread thread_;
  Grace grace_;
  Table<Peer> peers_;
  Table<Flow> flows_;
  struct Ranges {
    std::vector<Range> accept, except;
  };
  Published<std::vector<Address>> addresses_;
  Published<Ranges> ranges_;
  Published<std::unordered_set<EndpointKey>> servers_;
  std::atomic<bool> defaultPass_{false};
  std::atomic<int> probeId_{-1};
  std::atomic<bool> wakePending_{false}, stopping_{false}, failed_{false};
  std::string failureText_;
  bool closed_ = false;
  uint64_t socketDrops_ = 0;  // of the sockets before
  Counters counters_;
  // Budgets of their own, so that junk can't crowd out an advertisement, nor what local programs send.
  Ring serverRing_{64 << 10, 256}, adapterRing_{1 << 20, 4096}, otherRing_{512 << 10, 4096};
  // Datagrams of strangers handed up a second; as many at once as the ring has room for.
  SourceLimit strangers_{20'000, 4096, 1};
  bool raised_ = false;  // since the last wake

  // Thread only. A packet waits in `arena_`/`in_` no longer than its batch, but for what the socket won't take yet, while the
  // adapter is not read.
  struct Batch {
    uint8_t bytes[kBatch][kSuperBytes];
    mmsghdr messages[kBatch];
    iovec parts[kBatch];
    sockaddr_in names[kBatch];
    alignas(cmsghdr) uint8_t control[kBatch][CMSG_SPACE(sizeof(int))];
  };
  std::unique_ptr<Batch> in_;
  std::unique_ptr<uint8_t[]> arena_;
  Sender sender_{counters_};
  Coalescer coalescer_;
  std::vector<std::string> offloads_;
  bool adapterPaused_ = false;
};

}  // namespace shipworm
