// 1. turn:     waits for a packet or super-packet; where they come densely, reads up to 64 that are there
// 2. classify: by the tables: to the sender (pass), away (drop), or up; super-packets are cut on their way
// 3. flush:    the sender's calls for the batch; what the socket won't take waits, and the adapter is not read meanwhile
#include "outward.h"

#include <errno.h>
#include <poll.h>
#include <sys/uio.h>
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
  return lane->prepare() ? std::move(lane) : nullptr;
}

void Outward::use(int socket, bool segmentation) {
  sender_.clear();
  socket_ = socket;
  sender_.use(socket, segmentation);
}

void Outward::turn() {
  if (!sender_.empty()) {
    const bool takesMore = waitFor(socket_, POLLOUT) != 0;
    const Batch grace(*this);
    if (takesMore) flush(bootMs());
    return;
  }
  ssize_t got = read(tun_, arena_.get(), kSuperBytes);
  const Batch grace(*this);
  const double now = bootMs();
  const bool gathers = dense(now);
  size_t used = 0, reads = 1;
  while (got > 0) {
    used += handle(used, static_cast<size_t>(got), now);
    if (!gathers || reads++ == kReads || used + kSuperBytes > kArenaBytes || !sender_.hasRoom(Sender::kMaxPackets)) break;
    got = readMore(arena_.get() + used);
  }
  if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM))
    state_.fail("The tunnel adapter has vanished; start again to get a new one.");
  flush(now);
}

// What is there already.
ssize_t Outward::readMore(uint8_t* into) {
  iovec part{into, kSuperBytes};
  if (peeks_) {
    const ssize_t got = preadv2(tun_, &part, 1, -1, RWF_NOWAIT);
    if (got >= 0 || errno != EOPNOTSUPP) return got;
    peeks_ = false;  // before Linux 5.12
  }
  pollfd item{tun_, POLLIN, 0};
  if (poll(&item, 1, 0) > 0) return read(tun_, into, kSuperBytes);
  errno = EAGAIN;
  return -1;
}

// Returns how much of the arena is taken now.
size_t Outward::handle(size_t at, size_t length, double now) {
  const size_t skip = state_.config.vnetHeader ? kVnetHeader : 0;
  uint8_t* bytes = arena_.get() + at;
  VnetHeader header{};
  std::memcpy(&header, bytes, std::min(skip, length));
  SuperPacket packet;
  if (length < skip || !packet.read(header, bytes + skip, length - skip) || packet.segments() > Sender::kMaxPackets) {
    state_.counters.add(Counter::adapterHeader);
    return 0;
  }
  if (packet.plain() && length - skip >= kPacketBytes) {
    state_.counters.add(Counter::receivedTooBig);
    return 0;
  }
  take(bytes + skip, packet, length - skip, now);
  // Each packet begins where words do.
  return (length + 15) & ~size_t{15};
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

// While the socket takes no more, the adapter is not read.
void Outward::flush(double now) {
  sender_.flush(now);
  if (sender_.takeMetError()) raiseErrors(socket_, ring, {Counter::upcallsOther, Counter::lostOther});
}

}  // namespace shipworm
