// What the writer's thread does with the datapath: opens and closes it, writes its tables, sends and delivers at once.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <system_error>

#include "datapath.h"
#include "socket.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace shipworm {

namespace {

constexpr int kSocketBuffer = 8 << 20;  // several milliseconds at 10 Gbit/s; the kernel grants what rmem_max allows
// TUN_F_USO4 | TUN_F_USO6, which headers before Linux 6.2 don't name.
constexpr unsigned kTunUso = 0x20 | 0x40;
constexpr size_t kMaxDatagram = 65507;  // largest UDP payload that fits in one IPv4 packet

// Whoever could guess it could choose addresses that all fall into one place of a table.
HashKey randomKey() {
  HashKey key{};
  // So few bytes come whole or not at all (getrandom(2)).
  if (getrandom(&key, sizeof key, 0) != sizeof key) throw std::system_error(errno, std::generic_category(), "getrandom");
  return key;
}

void closeFd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

}  // namespace

double bootMs() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

int openUdpSocket(uint32_t ip, uint16_t port, SystemFailure& failure, bool shared) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    failure = {errno, "socket"};
    return -1;
  }
  // Who may, gets more than the system's own bound.
  for (const auto& [force, plain] : {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}})
    if (setsockopt(fd, SOL_SOCKET, force, &kSocketBuffer, sizeof kSocketBuffer) < 0)
      setsockopt(fd, SOL_SOCKET, plain, &kSocketBuffer, sizeof kSocketBuffer);
  const int off = IP_PMTUDISC_DONT, on = 1;
  if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &off, sizeof off) < 0 ||
      setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on) < 0) {
    failure = {errno, "setsockopt"};
    closeFd(fd);
    return -1;
  }
  const sockaddr_in address = socketAddress(static_cast<EndpointKey>(ip) << 16 | port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    failure = {errno, "bind"};
    closeFd(fd);
  }
  return fd;
}

Datapath::Datapath(DatapathConfig config)
    : config_(std::move(config)),
      peers_(config_.maxPeers, grace_, randomKey()),
      flows_(config_.maxFlows, grace_, randomKey()),
      addresses_(grace_),
      ranges_(grace_),
      servers_(grace_),
      // Not set to zero: pages that no packet touches cost nothing.
      in_(new Batch),
      arena_(new uint8_t[kArenaBytes]),
      coalescer_([](void* self, const Write& write) { static_cast<Datapath*>(self)->deliverJoined(write); }, this) {}

Datapath::~Datapath() { close(); }

std::unique_ptr<Datapath> Datapath::open(DatapathConfig config, SystemFailure& failure) {
  const std::vector<int> tun = config.tun;
  std::unique_ptr<Datapath> datapath;
  try {
    datapath.reset(new Datapath(std::move(config)));
  } catch (const std::bad_alloc&) {
    failure = {ENOMEM, "mmap"};
  } catch (const std::system_error& error) {
    failure = {error.code().value(), "getrandom"};
  }
  if (!datapath) {
    for (int fd : tun) closeFd(fd);
    return nullptr;
  }
  if (!datapath->prepare(failure)) return nullptr;
  if (!datapath->startThread(failure)) return nullptr;
  return datapath;
}

bool Datapath::startThread(SystemFailure& failure) {
  // Signals are for the main thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  failure = {};
  try {
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), "shipworm-path");
  } catch (const std::system_error& error) {
    failure = {error.code().value(), "pthread_create"};
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return failure.error == 0;
}

void Datapath::stopThread() {
  stopping_.store(true);
  if (!thread_.joinable()) return;
  uint64_t one = 1;
  while (write(stop_, &one, sizeof one) < 0 && errno == EINTR) continue;
  thread_.join();
  while (read(stop_, &one, sizeof one) < 0 && errno == EINTR) continue;
}

void Datapath::sleep() {
  if (closed_ || udp_ < 0) return;
  socketDrops_ = socketDrops();
  stopThread();
  closeFd(udp_);
  peers_.clear();
  flows_.clear();
  // What the socket would not take any more goes nowhere now.
  sender_.clear();
  if (adapterPaused_)
    for (size_t i = 0; i < config_.tun.size(); i++) watch(config_.tun[i], EPOLLIN, i, EPOLL_CTL_MOD);
  adapterPaused_ = false;
  stopping_.store(false);
  SystemFailure failure;
  if (!startThread(failure)) fail("The datapath can't get a thread; start again.");
}

bool Datapath::wake(uint32_t ip, uint16_t port, SystemFailure& failure) {
  if (closed_ || udp_ >= 0) return true;
  const int socket = openUdpSocket(ip, port, failure);
  if (socket < 0) return false;
  udp_ = socket;
  chooseSocketOffloads();
  // The thread reads it from this event on.
  if (watch(udp_, EPOLLIN, kUdpId, EPOLL_CTL_ADD)) return true;
  failure = {errno, "epoll"};
  closeFd(udp_);
  return false;
}

bool Datapath::prepare(SystemFailure& failure) {
  udp_ = openUdpSocket(config_.ip, config_.port, failure);
  if (udp_ < 0) return false;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  stop_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  bool ready = epoll_ >= 0 && stop_ >= 0 && watch(stop_, EPOLLIN, kStopId, EPOLL_CTL_ADD) &&
               watch(udp_, EPOLLIN, kUdpId, EPOLL_CTL_ADD);
  for (size_t i = 0; ready && i < config_.tun.size(); i++) {
    const int flags = fcntl(config_.tun[i], F_GETFL);
    ready = flags >= 0 && fcntl(config_.tun[i], F_SETFL, flags | O_NONBLOCK) == 0 &&
            watch(config_.tun[i], EPOLLIN, i, EPOLL_CTL_ADD);
  }
  if (!ready) failure = {errno, "epoll"};
  offloads_ = {"recvmmsg", "sendmmsg"};
  if (ready) chooseAdapterOffloads();
  if (ready) chooseSocketOffloads();
  return ready;
}

// Takes what this kernel has; each works without the others. A setting can leave all of them off.
void Datapath::chooseAdapterOffloads() {
  if (!config_.offloads || !config_.vnetHeader || config_.tun.empty()) return;
  const auto ask = [this](unsigned what) {
    return std::all_of(config_.tun.begin(), config_.tun.end(), [&](int fd) { return ioctl(fd, TUNSETOFFLOAD, what) == 0; });
  };
  const unsigned tcp = TUN_F_CSUM | TUN_F_TSO6 | TUN_F_TSO_ECN;
  // The kernel takes USO for both families or for none.
  const bool udp = ask(tcp | kTunUso);
  if (!udp && !ask(tcp)) return;
  coalescer_.allow(true, udp);
  offloads_.insert(offloads_.end(), {"checksum", "tso6"});
  if (udp) offloads_.push_back("uso6");
}

// Each socket anew: a datapath that woke has another one.
void Datapath::chooseSocketOffloads() {
  const int off = 0, on = 1;
  const bool segments = config_.offloads && setsockopt(udp_, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof off) == 0;
  const bool joins = config_.offloads && setsockopt(udp_, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0;
  sender_.use(udp_, segments);
  std::erase_if(offloads_, [](const std::string& name) { return name == "udp-gso" || name == "udp-gro"; });
  if (segments) offloads_.push_back("udp-gso");
  if (joins) offloads_.push_back("udp-gro");
}

bool Datapath::watch(int fd, uint32_t events, uint64_t id, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  return epoll_ctl(epoll_, operation, fd, &event) == 0;
}

void Datapath::close() {
  if (closed_) return;
  socketDrops_ = socketDrops();
  closed_ = true;
  stopThread();
  for (int fd : config_.tun) closeFd(fd);
  closeFd(udp_);
  closeFd(epoll_);
  closeFd(stop_);
}

void Datapath::setAddresses(std::vector<Address> addresses) {
  addresses_.replace(std::make_unique<std::vector<Address>>(std::move(addresses)));
}

void Datapath::setRanges(std::vector<Range> accept, std::vector<Range> except) {
  ranges_.replace(std::make_unique<Ranges>(Ranges{std::move(accept), std::move(except)}));
}

void Datapath::setServers(std::unordered_set<EndpointKey> servers) {
  servers_.replace(std::make_unique<std::unordered_set<EndpointKey>>(std::move(servers)));
}

bool Datapath::setPeer(const Address& address, EndpointKey endpoint, double receivedMs) {
  if (Peer* peer = peers_.find(address)) {
    peer->endpoint.store(endpoint, std::memory_order_relaxed);
    peer->lastReceivedMs.store(receivedMs, std::memory_order_relaxed);
    return true;
  }
  return peers_.insert(address, [&](Peer& peer) {
    peer.endpoint.store(endpoint, std::memory_order_relaxed);
    peer.lastReceivedMs.store(receivedMs, std::memory_order_relaxed);
  }) != nullptr;
}

bool Datapath::setFlow(const FlowKey& key, bool drop) {
  if (Flow* flow = flows_.find(key)) {
    flow->drop.store(drop, std::memory_order_relaxed);
    return true;
  }
  return flows_.insert(key, [&](Flow& flow) { flow.drop.store(drop, std::memory_order_relaxed); }) != nullptr;
}

void Datapath::transmit(uint32_t ip, uint16_t port, const uint8_t* bytes, size_t length) {
  if (closed_ || udp_ < 0) return;
  if (port == 0 || length > kMaxDatagram) return countSendError(counters_, EINVAL, 1);
  const sockaddr_in to = socketAddress(static_cast<EndpointKey>(ip) << 16 | port);
  for (int pendingErrors = 0;;) {
    if (sendto(udp_, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), sizeof to) >= 0)
      return counters_.add(Counter::transmitted);
    if (errno == EINTR || (isPendingError(errno) && pendingErrors++ < kPendingErrors)) continue;
    return countSendError(counters_, errno, 1);
  }
}

void Datapath::deliver(const uint8_t* bytes, size_t length) {
  if (closed_) return;
  if (length < kIp6Header || bytes[0] >> 4 != 6) {
    counters_.add(Counter::deliverErrors);
    counters_.add(Counter::writeInvalid);
  } else if (writeAdapter(bytes, length)) {
    counters_.add(Counter::delivered);
  }
}

size_t Datapath::drain(uint8_t* into, size_t room) {
  if (closed_) return 0;
  size_t used = serverRing_.drain(into, room);
  // What local programs send and what strangers send: half each, and what one leaves over is the other's.
  used += adapterRing_.drain(into + used, (room - used) / 2);
  used += otherRing_.drain(into + used, room - used);
  used += adapterRing_.drain(into + used, room - used);
  if (!serverRing_.empty() || !adapterRing_.empty() || !otherRing_.empty()) wakeWriter();
  return used;
}

void Datapath::wakeWriter() {
  if (!wakePending_.exchange(true)) config_.wake();
}

EndpointKey Datapath::local() const {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  getsockname(udp_, reinterpret_cast<sockaddr*>(&address), &length);
  return endpointKey(address);
}

int Datapath::bufferBytes(int option) const {
  int bytes = 0;
  socklen_t length = sizeof bytes;
  getsockopt(udp_, SOL_SOCKET, option, &bytes, &length);
  return bytes;
}

uint64_t Datapath::socketDrops() {
  if (closed_ || udp_ < 0) return socketDrops_;
  uint32_t info[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof info;
  getsockopt(udp_, SOL_SOCKET, SO_MEMINFO, info, &length);
  return socketDrops_ + info[SK_MEMINFO_DROPS];
}

}  // namespace shipworm
