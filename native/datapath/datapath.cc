// What the writer's thread does with the datapath: opens and closes it, writes its tables, sends and delivers at once.
#include "datapath.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <system_error>

#include "socket.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace shipworm {

namespace {

// TUN_F_USO4 | TUN_F_USO6, which headers before Linux 6.2 don't name.
constexpr unsigned kTunUso = 0x20 | 0x40;
constexpr size_t kMaxDatagram = 65507;  // largest UDP payload that fits in one IPv4 packet

// Its thread waits in the call that reads; nobody waits to write.
bool setBlocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0;
}

}  // namespace

double bootMs() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

std::unique_ptr<Datapath> Datapath::open(DatapathConfig config, SystemFailure& failure) {
  const std::vector<int> tun = config.tun;
  std::unique_ptr<Datapath> datapath;
  try {
    datapath.reset(new Datapath(std::move(config)));
    if (datapath->prepare(failure) && datapath->startLanes(failure)) return datapath;
    return nullptr;
  } catch (const std::bad_alloc&) {
    failure = {ENOMEM, "mmap"};
  } catch (const std::system_error& error) {
    failure = {error.code().value(), "getrandom"};
  }
  if (!datapath)
    for (const int fd : tun) ::close(fd);
  return nullptr;
}

bool Datapath::prepare(SystemFailure& failure) {
  if (!openSockets(state_.config.ip, state_.config.port, failure)) return false;
  for (const int tun : state_.config.tun) {
    if (setBlocking(tun)) outward_.push_back(Outward::open(state_, tun));
    if (outward_.empty() || !outward_.back()) {
      failure = {errno, "eventfd"};
      return false;
    }
  }
  for (size_t i = 0; i < sockets_.size(); i++) {
    const auto& tun = state_.config.tun;
    inward_.push_back(Inward::open(state_, tun.empty() ? -1 : tun[i % tun.size()]));
    if (!inward_.back()) {
      failure = {errno, "eventfd"};
      return false;
    }
  }
  offloads_ = {"recvmmsg", "sendmmsg"};
  if (outward_.size() > 1) offloads_.push_back("multi-queue");
  if (inward_.size() > 1) offloads_.push_back("reuse-port");
  chooseAdapterOffloads();
  return true;
}

// As many sockets as the adapter has queues; where they can't share a port, one.
bool Datapath::openSockets(uint32_t ip, uint16_t port, SystemFailure& failure) {
  const size_t wanted = inward_.empty() ? std::max<size_t>(state_.config.tun.size(), 1) : inward_.size();
  // Sockets that share a port would let another program's in: only one that has it alone finds the port taken.
  int first = openUdpSocket(ip, port, failure);
  if (first < 0) return false;
  sockets_ = {first};
  if (wanted == 1) return true;
  const auto own = static_cast<uint16_t>(local());
  closeSockets();
  for (size_t i = 0; i < wanted; i++) {
    const int socket = openUdpSocket(ip, own, failure, true);
    if (socket < 0) break;
    sockets_.push_back(socket);
  }
  if (sockets_.size() == wanted) return true;
  closeSockets();
  if (!inward_.empty()) return false;
  first = openUdpSocket(ip, own, failure);
  if (first >= 0) sockets_ = {first};
  return first >= 0;
}

void Datapath::closeSockets() {
  for (const int socket : sockets_) ::close(socket);
  sockets_.clear();
}

// With the sockets that there are now.
bool Datapath::startLanes(SystemFailure& failure) {
  if (!sockets_.empty()) chooseSocketOffloads();
  for (size_t i = 0; i < sockets_.size(); i++)
    if (!inward_[i]->use(sockets_[i])) {
      failure = {errno, "fcntl"};
      return false;
    }
  for (size_t i = 0; i < sockets_.size(); i++)
    if (!inward_[i]->start(failure)) return false;
  return std::all_of(outward_.begin(), outward_.end(), [&](const auto& lane) { return lane->start(failure); });
}

void Datapath::stopLanes() {
  for (const auto& lane : outward_)
    if (lane) lane->stop();
  for (const auto& lane : inward_)
    if (lane) lane->stop();
}

void Datapath::sleep() {
  if (closed_ || sockets_.empty()) return;
  socketDrops_ = socketDrops();
  stopLanes();
  closeSockets();
  state_.peers.clear();
  state_.flows.clear();
  // What the socket would not take any more goes nowhere now.
  for (const auto& lane : outward_) lane->use(-1, false);
  SystemFailure failure;
  if (!startLanes(failure)) state_.fail("The datapath can't get a thread; start again.");
}

bool Datapath::wake(uint32_t ip, uint16_t port, SystemFailure& failure) {
  if (closed_ || !sockets_.empty()) return true;
  if (!openSockets(ip, port, failure)) return false;
  stopLanes();
  if (startLanes(failure)) return true;
  stopLanes();
  closeSockets();
  for (const auto& lane : outward_) lane->use(-1, false);
  SystemFailure again;
  if (!startLanes(again)) state_.fail("The datapath can't get a thread; start again.");
  return false;
}

// Takes what this kernel has; each works without the others. A setting can leave all of them off.
void Datapath::chooseAdapterOffloads() {
  const auto& [tun, vnetHeader, offloads] = std::tie(state_.config.tun, state_.config.vnetHeader, state_.config.offloads);
  if (!offloads || !vnetHeader || tun.empty()) return;
  const auto ask = [&](unsigned what) {
    return std::all_of(tun.begin(), tun.end(), [&](int fd) { return ioctl(fd, TUNSETOFFLOAD, what) == 0; });
  };
  const unsigned tcp = TUN_F_CSUM | TUN_F_TSO6 | TUN_F_TSO_ECN;
  // The kernel takes USO for both families or for none.
  const bool udp = ask(tcp | kTunUso);
  if (!udp && !ask(tcp)) return;
  for (const auto& lane : inward_) lane->allow(true, udp);
  offloads_.insert(offloads_.end(), {"checksum", "tso6"});
  if (udp) offloads_.push_back("uso6");
}

// Each socket anew: a datapath that woke has others.
void Datapath::chooseSocketOffloads() {
  const auto have = [&](int option, int value) {
    return state_.config.offloads && std::all_of(sockets_.begin(), sockets_.end(), [&](int fd) {
             return setsockopt(fd, IPPROTO_UDP, option, &value, sizeof value) == 0;
           });
  };
  const bool segments = have(UDP_SEGMENT, 0);
  const bool joins = have(UDP_GRO, 1);
  for (size_t i = 0; i < outward_.size(); i++) outward_[i]->use(sockets_[i % sockets_.size()], segments);
  std::erase_if(offloads_, [](const std::string& name) { return name == "udp-gso" || name == "udp-gro"; });
  if (segments) offloads_.push_back("udp-gso");
  if (joins) offloads_.push_back("udp-gro");
}

void Datapath::close() {
  if (closed_) return;
  socketDrops_ = socketDrops();
  closed_ = true;
  stopLanes();
  outward_.clear();
  inward_.clear();
  for (const int fd : state_.config.tun) ::close(fd);
  closeSockets();
}

void Datapath::setAddresses(std::vector<Address> addresses) {
  state_.addresses.replace(std::make_unique<std::vector<Address>>(std::move(addresses)));
}

void Datapath::setRanges(std::vector<Range> accept, std::vector<Range> except) {
  state_.ranges.replace(std::make_unique<State::Ranges>(State::Ranges{std::move(accept), std::move(except)}));
}

void Datapath::setServers(std::unordered_set<EndpointKey> servers) {
  state_.servers.replace(std::make_unique<std::unordered_set<EndpointKey>>(std::move(servers)));
}

bool Datapath::setPeer(const Address& address, EndpointKey endpoint, double receivedMs) {
  if (Peer* peer = state_.peers.find(address)) {
    peer->endpoint.store(endpoint, std::memory_order_relaxed);
    peer->lastReceivedMs.store(receivedMs, std::memory_order_relaxed);
    return true;
  }
  return state_.peers.insert(address, [&](Peer& peer) {
    peer.endpoint.store(endpoint, std::memory_order_relaxed);
    peer.lastReceivedMs.store(receivedMs, std::memory_order_relaxed);
  }) != nullptr;
}

// What rests for a verdict is judged anew, and before whatever comes after the change.
template <class Change>
auto Datapath::changeFlows(Change change) {
  state_.flowChanges.fetch_add(1);
  const auto result = change();
  state_.flowChanges.fetch_add(1);
  for (const auto& lane : inward_)
    if (lane->rests()) lane->poke();
  return result;
}

bool Datapath::setFlow(const FlowKey& key, Verdict verdict) {
  return changeFlows([&] {
    const auto fill = [&](Flow& flow) {
      flow.sinceMs.store(clockBits(bootMs()), std::memory_order_relaxed);
      flow.verdict.store(verdict, std::memory_order_release);
    };
    Flow* flow = state_.flows.find(key);
    if (!flow) return state_.flows.insert(key, fill) != nullptr;
    fill(*flow);
    return true;
  });
}

void Datapath::removeFlow(const FlowKey& key) {
  changeFlows([&] { return state_.flows.erase(key); });
}

void Datapath::clearFlows() {
  changeFlows([&] {
    state_.flows.clear();
    return true;
  });
}

void Datapath::setDefaultPass(bool pass) {
  changeFlows([&] { return state_.defaultPass.exchange(pass); });
}

void Datapath::transmit(uint32_t ip, uint16_t port, const uint8_t* bytes, size_t length) {
  if (closed_ || sockets_.empty()) return;
  if (port == 0 || length > kMaxDatagram) return countSendError(state_.counters, EINVAL, 1);
  const sockaddr_in to = socketAddress(static_cast<EndpointKey>(ip) << 16 | port);
  for (int pendingErrors = 0;;) {
    if (sendto(sockets_[0], bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), sizeof to) >= 0) {
      if (state_.tap.on()) state_.tap.add(true, static_cast<EndpointKey>(ip) << 16 | port, bytes, length);
      return state_.counters.add(Counter::transmitted);
    }
    const int error = errno;
    if (isPendingError(error)) noteErrors();
    if (error == EINTR || (isPendingError(error) && pendingErrors++ < kPendingErrors)) continue;
    return countSendError(state_.counters, error, 1);
  }
}

// What a send took off the socket, its thread is not told any more.
void Datapath::noteErrors() {
  readErrorQueue(sockets_[0], [&](EndpointKey to, uint8_t type, uint8_t code) {
    const uint8_t none = 0;
    const bool taken = errors_.push(errorUpcall(to, type, code), &none);
    state_.counters.add(taken ? Counter::upcallsOther : Counter::lostOther);
    if (taken) state_.wakeWriter();
  });
}

void Datapath::deliver(const uint8_t* bytes, size_t length) {
  if (closed_) return;
  if (length < kIp6Header || bytes[0] >> 4 != 6) {
    state_.counters.add(Counter::deliverErrors);
    state_.counters.add(Counter::writeInvalid);
  } else if (state_.writePlain(state_.config.tun.empty() ? -1 : state_.config.tun[0], bytes, length)) {
    state_.counters.add(Counter::delivered);
  }
}

size_t Datapath::drain(uint8_t* into, size_t room) {
  if (closed_) return 0;
  // Before it looks: from here on a thread wakes it again.
  state_.wakePending.exchange(false);
  size_t used = 0, more = 0;
  const auto each = [&](auto& lanes, auto ring, size_t most) {
    size_t part = 0;
    for (size_t i = 0; i < lanes.size(); i++)
      part += ring(*lanes[i]).drain(into + used + part, (most - part) / (lanes.size() - i));
    for (const auto& lane : lanes) more += !ring(*lane).empty();
    used += part;
  };
  const auto server = [](Inward& lane) -> Ring& { return lane.serverRing; };
  const auto other = [](Inward& lane) -> Ring& { return lane.otherRing; };
  const auto adapter = [](Outward& lane) -> Ring& { return lane.ring; };
  each(inward_, server, room);
  used += errors_.drain(into + used, room - used);
  // What local programs send and what strangers send: half each, and what one leaves over is the other's.
  each(outward_, adapter, (room - used) / 2);
  each(inward_, other, room - used);
  more = 0;
  each(outward_, adapter, room - used);
  each(inward_, other, 0);
  each(inward_, server, 0);
  if (more) state_.wakeWriter();
  return used;
}

EndpointKey Datapath::local() const {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (!sockets_.empty()) getsockname(sockets_[0], reinterpret_cast<sockaddr*>(&address), &length);
  return endpointKey(address);
}

int Datapath::bufferBytes(int option) const {
  int bytes = 0;
  socklen_t length = sizeof bytes;
  if (!sockets_.empty()) getsockopt(sockets_[0], SOL_SOCKET, option, &bytes, &length);
  return bytes;
}

uint64_t Datapath::socketDrops() {
  uint64_t drops = socketDrops_;
  for (const int socket : sockets_) {
    uint32_t info[SK_MEMINFO_VARS] = {};
    socklen_t length = sizeof info;
    getsockopt(socket, SOL_SOCKET, SO_MEMINFO, info, &length);
    drops += info[SK_MEMINFO_DROPS];
  }
  return drops;
}

}  // namespace shipworm
