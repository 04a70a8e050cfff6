// States the datapath: threads that move packets between adapter and UDP socket by three tables, and send every miss up.
#pragma once
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "inward.h"
#include "outward.h"
#include "state.h"

namespace shipworm {

// All public members belong to one thread, the writer of the tables (JavaScript's).
class Datapath {
 public:
  // Null, with `failure` set and every descriptor closed, when the socket can't be had.
  static std::unique_ptr<Datapath> open(DatapathConfig config, SystemFailure& failure);
  ~Datapath() { close(); }
  Datapath(const Datapath&) = delete;
  Datapath& operator=(const Datapath&) = delete;

  void setAddresses(std::vector<Address> addresses);
  // Addresses that are ours too: all in one of `accept` and in none of `except`.
  void setRanges(std::vector<Range> accept, std::vector<Range> except);
  void setServers(std::unordered_set<EndpointKey> servers);
  bool setPeer(const Address& address, EndpointKey endpoint, double receivedMs);
  void removePeer(const Address& address) { state_.peers.erase(address); }
  const Peer* readPeer(const Address& address) const { return state_.peers.find(address); }
  bool setFlow(const FlowKey& key, Verdict verdict);
  void removeFlow(const FlowKey& key);
  void clearFlows();
  void setDefaultPass(bool pass);
  void setProbeId(uint16_t identifier) { state_.probeId.store(identifier); }
  void transmit(uint32_t ip, uint16_t port, const uint8_t* bytes, size_t length);
  void deliver(const uint8_t* bytes, size_t length);
  // Moves what waits in the rings into `into`, as much as fits; returns the bytes used. For what is left the writer is woken again.
  size_t drain(uint8_t* into, size_t room);
  // Copies of datagrams for whoever captures.
  Tap& tap() { return state_.tap; }

  const Counters& counters() const { return state_.counters; }
  // Names of the offloads in force.
  const std::vector<std::string>& offloads() const { return offloads_; }
  // Datagrams that the kernel dropped because our receive buffers were full.
  uint64_t socketDrops();
  EndpointKey local() const;
  int bufferBytes(int option) const;
  // Of UDP, for whoever may set more of them than we; ours.
  const std::vector<int>& sockets() const { return sockets_; }
  // One sentence once a thread has ended by itself, else null.
  const char* failure() const { return state_.failure.load(); }
  // Closes the UDP sockets and forgets peers and flows; the adapter is still read, and everything goes up. Idempotent.
  void sleep();
  // The reverse of `sleep`; false, with `failure` set and still asleep, when the socket can't be had.
  bool wake(uint32_t ip, uint16_t port, SystemFailure& failure);
  // Ends the threads and closes every descriptor. Idempotent.
  void close();

 private:
  explicit Datapath(DatapathConfig config) : state_(std::move(config)) {}
  bool prepare(SystemFailure& failure);
  bool openSockets(uint32_t ip, uint16_t port, SystemFailure& failure);
  bool startLanes(SystemFailure& failure);
  void stopLanes();
  void closeSockets();
  template <class Change>
  auto changeFlows(Change change);
  void noteErrors();
  void chooseAdapterOffloads();
  void chooseSocketOffloads();

  State state_;
  // One for each queue of the adapter; one for each socket.
  std::vector<std::unique_ptr<Outward>> outward_;
  std::vector<std::unique_ptr<Inward>> inward_;
  std::vector<int> sockets_;
  // Of our own sends.
  Ring errors_{16 << 10, 256};
  std::vector<std::string> offloads_;
  uint64_t socketDrops_ = 0;  // of the sockets before
  bool closed_ = false;
};

}  // namespace shipworm
