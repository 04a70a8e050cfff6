// 1. readAdapter: reads up to 64 packets or super-packets
// 2. classify:    by the tables: to the sender (pass), away (drop), or up; super-packets are cut on their way
// 3. flush:       the sender's calls for the batch; what the socket won't take waits, and the adapter is not read meanwhile
#include "outward.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace shipworm {

namespace {

// Packets taken from the adapter before they are sent.
constexpr size_t kReads = 64;

}  // namespace

// Not set to zero: pages that no packet touches cost nothing.
Outward::Outward(State& state, int tun)
    : Lane(state, "shipworm-out"), tun_(tun), sender_(state.counters, state.tap), arena_(new uint8_t[kArenaBytes]) {}

std::unique_ptr<Outward> Outward::open(State& state, int tun) {
  auto lane = std::make_unique<Outward>(state, tun);
  if (!lane->prepare() || !lane->watch(tun, EPOLLIN, kTun, EPOLL_CTL_ADD)) return nullptr;
  return lane;
}

void Outward::use(int socket, bool segmentation) {
  sender_.clear();
  setPaused(false);
  socket_ = socket;
  sender_.use(socket, segmentation);
}

void Outward::ready(uint64_t id, uint32_t) {
  if (id == kTun)
    readAdapter();
  else
    flush(bootMs());
}

void Outward::readAdapter() {
  if (!sender_.empty()) return;  // an event from before the pause
  const size_t skip = state_.config.vnetHeader ? kVnetHeader : 0;
  const double now = bootMs();
  size_t used = 0;
  for (size_t reads = 0; reads < kReads && used + kSuperBytes <= kArenaBytes && sender_.hasRoom(Sender::kMaxPackets); reads++) {
    uint8_t* bytes = arena_.get() + used;
    const ssize_t got = read(tun_, bytes, kSuperBytes);
    if (got <= 0) {
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)) break;
      state_.fail("The tunnel adapter has vanished; start again to get a new one.");
      break;
    }
    const auto length = static_cast<size_t>(got);
    VnetHeader header{};
    std::memcpy(&header, bytes, std::min(skip, length));
    SuperPacket packet;
    if (length < skip || !packet.read(header, bytes + skip, length - skip) || packet.segments() > Sender::kMaxPackets) {
      state_.counters.add(Counter::adapterHeader);
    } else if (packet.plain() && length - skip >= kPacketBytes) {
      state_.counters.add(Counter::receivedTooBig);
    } else {
      take(bytes + skip, packet, length - skip, now);
      // Each packet begins where words do.
      used += (length + 15) & ~size_t{15};
    }
  }
  flush(now);
}

void Outward::take(uint8_t* bytes, const SuperPacket& packet, size_t length, double now) {
  EndpointKey to = 0;
  const Outcome outcome = classify(bytes, length, packet.segments(), now, to);
  if (!packet.plain()) state_.counters.add(Counter::adapterSuper);
  if (outcome == Outcome::dropped) state_.counters.add(Counter::droppedOut, packet.segments());
  if (outcome == Outcome::passed) {
    if (packet.plain())
      sender_.append(to, bytes, length, now);
    else
      sender_.append(to, packet, now);
  }
  if (outcome != Outcome::up) return;
  constexpr Kind kKind{Counter::upcallsAdapter, Counter::lostAdapter};
  if (packet.plain()) return raise(ring, kKind, upcallHead(Upcall::packet, length, 0), bytes);
  uint8_t single[kPacketBytes];
  for (size_t i = 0; i < packet.segments(); i++) {
    const size_t whole = packet.headerLength() + packet.payloadLength(i);
    if (whole > sizeof single) {
      state_.counters.add(Counter::receivedTooBig);
      continue;
    }
    packet.writeHeaders(i, single);
    std::memcpy(single + packet.headerLength(), packet.payload(i), packet.payloadLength(i));
    raise(ring, kKind, upcallHead(Upcall::packet, whole, 0), single);
  }
}

Outcome Outward::classify(const uint8_t* bytes, size_t length, size_t packets, double now, EndpointKey& to) {
  Packet packet;
  if (socket_ < 0 || !readPacket(bytes, length, packet)) return Outcome::up;
  if (!state_.isOurs(packet.source) || state_.isOurs(packet.destination)) return Outcome::up;
  Peer* peer = state_.peers.find(packet.destination);
  if (!peer) return Outcome::up;
  // RFC 4380 §5.2.4: valid while the last reception is less than the validity time ago; 0 is never.
  const double received = peer->lastReceivedMs.load(std::memory_order_relaxed);
  if (received == 0 || now - received >= state_.config.validMs) return Outcome::up;
  const Outcome outcome = state_.verdict(packet, false, now);
  if (outcome != Outcome::passed) return outcome;
  to = peer->endpoint.load(std::memory_order_relaxed);
  peer->lastSentMs.store(now, std::memory_order_relaxed);
  peer->packetsOut.fetch_add(packets, std::memory_order_relaxed);
  peer->bytesOut.fetch_add(length, std::memory_order_relaxed);
  state_.counters.add(Counter::bytesOut, length);
  return Outcome::passed;
}

void Outward::flush(double now) { setPaused(!sender_.flush(now)); }

// While the socket takes no more, the thread waits for it alone.
void Outward::setPaused(bool paused) {
  if (paused == paused_) return;
  paused_ = paused;
  watch(tun_, paused ? 0u : uint32_t{EPOLLIN}, kTun, EPOLL_CTL_MOD);
  watch(socket_, EPOLLOUT, kSocket, paused ? EPOLL_CTL_ADD : EPOLL_CTL_DEL);
}

}  // namespace shipworm
