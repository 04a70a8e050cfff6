// 1. turn:     one call, which waits; it takes several datagrams where they come densely; what the kernel joined is taken apart
// 2. classify: by the tables: joined with its neighbours and written to the adapter (pass), away (drop), or up
// 3. release:  what rested until the engine knew of its flow goes on, before anything newer
#include "inward.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <poll.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "socket.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace shipworm {

namespace {

// How long more may gather after nothing but refused datagrams. A flood would wake the thread for each of its packets.
constexpr timespec kGather{0, 100'000};

}  // namespace

// Not set to zero: pages that no packet touches cost nothing.
Inward::Inward(State& state, int tun)
    : Lane(state, "shipworm-in"),
      tun_(tun),
      in_(new Datagrams),
      coalescer_([](void* self, const Write& write) { static_cast<Inward*>(self)->deliver(write); }, this) {
  clear(kBatch);
}

std::unique_ptr<Inward> Inward::open(State& state, int tun) {
  auto lane = std::make_unique<Inward>(state, tun);
  return lane->prepare() ? std::move(lane) : nullptr;
}

bool Inward::use(int socket) {
  socket_ = socket;
  resting_.clear();
  rests_.store(false);
  const int flags = fcntl(socket, F_GETFL);
  return flags >= 0 && fcntl(socket, F_SETFL, flags & ~O_NONBLOCK) == 0;
}

void Inward::turn() {
  // Only where something rests is a poke to be heard.
  if (resting_.empty()) return readSocket(MSG_WAITFORONE, dense_ ? kBatch : 1);
  const short events = waitFor(socket_, POLLIN);
  if (state_.flowChanges.load() != seenChanges_) {
    const Batch batch(*this);
    release();
  }
  if (events) readSocket(MSG_DONTWAIT, kBatch);
}

void Inward::clear(size_t count) {
  Datagrams& batch = *in_;
  for (size_t i = 0; i < count; i++) {
    batch.parts[i] = {batch.bytes[i], kSuperBytes};
    msghdr& head = batch.messages[i].msg_hdr;
    head = {};
    head.msg_name = &batch.names[i];
    head.msg_namelen = sizeof batch.names[i];
    head.msg_iov = &batch.parts[i];
    head.msg_iovlen = 1;
    head.msg_control = batch.control[i];
    head.msg_controllen = sizeof batch.control[i];
  }
}

void Inward::readSocket(int flags, size_t most) {
  const int count = recvmmsg(socket_, in_->messages, static_cast<unsigned>(most), flags, nullptr);
  if (count < 0) {
    if (errno == EBADF || errno == ENOTSOCK) return state_.fail("The UDP socket has broken; start again.");
    if (errno != EINTR) raiseErrors(socket_, otherRing, {Counter::upcallsOther, Counter::lostOther});
    return;
  }
  handle(static_cast<size_t>(count));
  clear(static_cast<size_t>(count));
  if (refusedAll_) nanosleep(&kGather, nullptr);
}

void Inward::handle(size_t count) {
  const Batch grace(*this);
  Datagrams& batch = *in_;
  state_.counters.add(Counter::receiveCalls);
  const double now = bootMs();
  dense_ = dense(now);
  if (resting_.empty()) seenChanges_ = state_.flowChanges.load();
  size_t datagrams = 0;
  refused_ = 0;
  for (size_t i = 0; i < count; i++) {
    msghdr& head = batch.messages[i].msg_hdr;
    const size_t length = batch.messages[i].msg_len;
    // The kernel joins datagrams of one sender that have one length, the last one perhaps shorter (UDP_GRO).
    size_t each = length;
    for (cmsghdr* item = CMSG_FIRSTHDR(&head); item; item = CMSG_NXTHDR(&head, item)) {
      int size = 0;
      if (item->cmsg_level == IPPROTO_UDP && item->cmsg_type == UDP_GRO) std::memcpy(&size, CMSG_DATA(item), sizeof size);
      if (size > 0) each = static_cast<size_t>(size);
    }
    alone_ = count == 1 && length <= each && resting_.empty();
    const EndpointKey from = endpointKey(batch.names[i]);
    size_t at = 0;
    do {
      const size_t part = std::min(each, length - at);
      if (part >= kPacketBytes || head.msg_flags & MSG_TRUNC)
        state_.counters.add(Counter::receivedTooBig);
      else
        take(batch.bytes[i] + at, part, from, now);
      datagrams++;
      at += each;
    } while (at < length);
  }
  if (!alone_) coalescer_.flush();
  refusedAll_ = refused_ == datagrams;
}

void Inward::take(uint8_t* bytes, size_t length, EndpointKey from, double now) {
  if (state_.tap.on()) state_.tap.add(false, from, bytes, length);
  const Outcome outcome = classify(bytes, length, from, now);
  if (outcome == Outcome::dropped) state_.counters.add(Counter::droppedIn);
  if (outcome == Outcome::waits) return rest(bytes, length, from);
  if (outcome == Outcome::passed) {
    if (!resting_.empty() && state_.flowChanges.load() != seenChanges_) release();
    pass(bytes, length);
  }
  if (outcome != Outcome::up && outcome != Outcome::stranger) return;
  if (state_.servers.read().contains(from))
    return raise(serverRing, {Counter::upcallsServer, Counter::lostServer}, upcallHead(Upcall::serverDatagram, length, from), bytes);
  // The engine's time is for those whom it knows: a flood of strangers gets no more of it than this, however fast it comes.
  const auto ip = static_cast<uint32_t>(from >> 16);
  if (outcome == Outcome::stranger && !(state_.stranger.take(ip, now) && state_.strangers.take(0, now))) {
    refused_++;
    return state_.counters.add(Counter::lostOther);
  }
  raise(otherRing, {Counter::upcallsOther, Counter::lostOther}, upcallHead(Upcall::otherDatagram, length, from), bytes);
}

void Inward::pass(uint8_t* bytes, size_t length) {
  if (!alone_ && coalescer_.allowed())
    coalescer_.add(bytes, length);
  else if (state_.writePlain(tun_, bytes, length))
    state_.counters.add(Counter::packetsIn);
}

void Inward::rest(const uint8_t* bytes, size_t length, EndpointKey from) {
  if (!resting_.add(bytes, length, from)) state_.counters.add(Counter::restingDropped);
  // Either the writer sees that something rests here, or this thread sees that a flow has changed.
  rests_.store(true);
  if (state_.flowChanges.load() != seenChanges_) release();
}

void Inward::release() {
  alone_ = false;
  seenChanges_ = state_.flowChanges.load();
  const double now = bootMs();
  resting_.each(
      [&](uint8_t* bytes, size_t length, EndpointKey from) {
        const Outcome outcome = classify(bytes, length, from, now);
        if (outcome == Outcome::waits) return true;
        if (outcome == Outcome::passed)
          pass(bytes, length);
        else
          state_.counters.add(Counter::restingDropped);
        return false;
      },
      [&] { coalescer_.flush(); });
  rests_.store(!resting_.empty());
}

Outcome Inward::classify(const uint8_t* bytes, size_t length, EndpointKey from, double now) {
  Packet packet;
  if (!readPacket(bytes, length, packet) || !state_.isOurs(packet.destination)) return Outcome::stranger;
  Peer* peer = state_.peers.find(packet.source);
  if (!peer || peer->endpoint.load(std::memory_order_relaxed) != from) return Outcome::stranger;
  if (packet.echoReply && packet.destinationPort == state_.probeId.load(std::memory_order_relaxed)) return Outcome::up;
  const Outcome outcome = state_.verdict(packet, true, now);
  if (outcome != Outcome::passed) return outcome;
  peer->lastReceivedMs.store(now, std::memory_order_relaxed);
  peer->packetsIn.fetch_add(1, std::memory_order_relaxed);
  peer->bytesIn.fetch_add(length, std::memory_order_relaxed);
  state_.counters.add(Counter::bytesIn, length);
  return Outcome::passed;
}

void Inward::deliver(const Write& write) {
  if (write.super) state_.counters.add(Counter::adapterJoined);
  if (state_.writeAdapter(tun_, write.parts, write.count))
    state_.counters.add(Counter::packetsIn, write.packets);
  else if (write.super && errno == EINVAL)
    coalescer_.allow(false, false);  // this kernel takes none; the streams repair what was lost
}

}  // namespace shipworm
