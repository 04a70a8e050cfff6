// The way of a packet through the datapath thread.
//
// 1. run:         epoll says which of adapter, socket, error queue has something; one batch of each in turn
// From the adapter to a peer:
// 2. readAdapter: reads up to 64 packets or super-packets
// 3. classifyOut: by the tables: to the sender (pass), away (drop), or up; super-packets are cut on their way
// 4. flush:       the sender's calls for the batch; what the socket won't take waits, and the adapter is not read meanwhile
// From the socket to the adapter:
// 5. readSocket:  one recvmmsg; what the kernel joined is taken apart
// 6. classifyIn:  by the tables: joined with its neighbours and written to the adapter (pass), away (drop), or up
// 7. readErrors:  ICMPv4 errors from the socket's error queue go up
// Up:
// 8. raise:       into the ring of its kind, or counted as lost; one wake-up for the whole batch
#include "datapath.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "socket.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace shipworm {

namespace {

constexpr size_t kEvents = 16;
// Packets taken from the adapter before the socket gets its turn.
constexpr size_t kReads = 64;

Upcall datagramHead(Upcall::Kind kind, size_t length, EndpointKey from) {
  Upcall head{};
  head.length = static_cast<uint32_t>(length);
  head.kind = kind;
  head.ip = static_cast<uint32_t>(from >> 16);
  head.port = static_cast<uint16_t>(from);
  return head;
}

}  // namespace

void Datapath::run() {
  epoll_event events[kEvents];
  while (!stopping_.load() && !failed_.load(std::memory_order_relaxed)) {
    const int count = epoll_wait(epoll_, events, kEvents, -1);
    if (count < 0 && errno != EINTR) fail("The datapath can't wait for packets any more; start again.");
    grace_.enter();
    for (int i = 0; i < count && !failed_.load(std::memory_order_relaxed); i++) {
      const uint64_t id = events[i].data.u64;
      const uint32_t what = events[i].events;
      if (id == kStopId) continue;
      if (id != kUdpId) {
        readAdapter(config_.tun[id]);
        continue;
      }
      if (what & EPOLLERR) readErrors();
      if (what & EPOLLOUT) flush(bootMs());
      if (what & EPOLLIN) readSocket();
    }
    grace_.leave();
    if (raised_) {
      raised_ = false;
      wakeWriter();
    }
  }
}

void Datapath::fail(std::string text) {
  if (failed_.load(std::memory_order_relaxed)) return;
  failureText_ = std::move(text);
  failed_.store(true, std::memory_order_release);
  wakeWriter();
}

void Datapath::readAdapter(int fd) {
  if (!sender_.empty()) return;  // an event from before the pause
  const size_t skip = config_.vnetHeader ? kVnetHeader : 0;
  const double now = bootMs();
  size_t used = 0;
  for (size_t reads = 0; reads < kReads && used + kSuperBytes <= kArenaBytes && sender_.hasRoom(Sender::kMaxPackets); reads++) {
    uint8_t* bytes = arena_.get() + used;
    const ssize_t got = read(fd, bytes, kSuperBytes);
    if (got <= 0) {
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)) break;
      fail("The tunnel adapter has vanished; start again to get a new one.");
      break;
    }
    const auto length = static_cast<size_t>(got);
    VnetHeader header{};
    std::memcpy(&header, bytes, std::min(skip, length));
    SuperPacket packet;
    if (length < skip || !packet.read(header, bytes + skip, length - skip) || packet.segments() > Sender::kMaxPackets) {
      counters_.add(Counter::adapterHeader);
    } else if (packet.plain() && length - skip >= kPacketBytes) {
      counters_.add(Counter::receivedTooBig);
    } else {
      takeFromAdapter(bytes + skip, packet, length - skip, now);
      // Each packet begins where words do.
      used += (length + 15) & ~size_t{15};
    }
  }
  flush(now);
}

void Datapath::takeFromAdapter(uint8_t* bytes, const SuperPacket& packet, size_t length, double now) {
  EndpointKey to = 0;
  const Outcome outcome = classifyOut(bytes, length, packet.segments(), now, to);
  if (!packet.plain()) counters_.add(Counter::adapterSuper);
  if (outcome == Outcome::dropped) counters_.add(Counter::droppedOut, packet.segments());
  if (outcome == Outcome::passed) {
    if (packet.plain())
      sender_.append(to, bytes, length, now);
    else
      sender_.append(to, packet, now);
  }
  if (outcome != Outcome::up) return;
  if (packet.plain()) return raise(RingName::adapter, datagramHead(Upcall::packet, length, 0), bytes);
  uint8_t single[kPacketBytes];
  for (size_t i = 0; i < packet.segments(); i++) {
    const size_t whole = packet.headerLength() + packet.payloadLength(i);
    if (whole > sizeof single) {
      counters_.add(Counter::receivedTooBig);
      continue;
    }
    packet.writeHeaders(i, single);
    std::memcpy(single + packet.headerLength(), packet.payload(i), packet.payloadLength(i));
    raise(RingName::adapter, datagramHead(Upcall::packet, whole, 0), single);
  }
}

Datapath::Outcome Datapath::classifyOut(const uint8_t* bytes, size_t length, size_t packets, double now, EndpointKey& to) {
  Packet packet;
  if (!readPacket(bytes, length, packet)) return Outcome::up;
  if (!isOurs(packet.source) || isOurs(packet.destination)) return Outcome::up;
  Peer* peer = peers_.find(packet.destination);
  if (!peer) return Outcome::up;
  // RFC 4380 §5.2.4: valid while the last reception is less than the validity time ago; 0 is never.
  const double received = peer->lastReceivedMs.load(std::memory_order_relaxed);
  if (received == 0 || now - received >= config_.validMs) return Outcome::up;
  const Outcome outcome = verdict(packet, false);
  if (outcome != Outcome::passed) return outcome;
  to = peer->endpoint.load(std::memory_order_relaxed);
  peer->lastSentMs.store(now, std::memory_order_relaxed);
  peer->packetsOut.fetch_add(packets, std::memory_order_relaxed);
  peer->bytesOut.fetch_add(length, std::memory_order_relaxed);
  counters_.add(Counter::bytesOut, length);
  return Outcome::passed;
}

void Datapath::flush(double now) {
  const bool pause = !sender_.flush(now);
  if (pause == adapterPaused_) return;
  adapterPaused_ = pause;
  for (size_t i = 0; i < config_.tun.size(); i++) watch(config_.tun[i], pause ? 0u : uint32_t{EPOLLIN}, i, EPOLL_CTL_MOD);
  watch(udp_, pause ? uint32_t{EPOLLIN} | EPOLLOUT : uint32_t{EPOLLIN}, kUdpId, EPOLL_CTL_MOD);
}

void Datapath::readSocket() {
  Batch& batch = *in_;
  for (size_t i = 0; i < kBatch; i++) {
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
  const int count = recvmmsg(udp_, batch.messages, kBatch, MSG_DONTWAIT, nullptr);
  if (count < 0) {
    if (errno == EBADF || errno == ENOTSOCK) fail("The UDP socket has broken; start again.");
    return;
  }
  counters_.add(Counter::receiveCalls);
  const double now = bootMs();
  for (size_t i = 0; i < static_cast<size_t>(count); i++) {
    msghdr& head = batch.messages[i].msg_hdr;
    const size_t length = batch.messages[i].msg_len;
    // The kernel joins datagrams of one sender that have one length, the last one perhaps shorter (UDP_GRO).
    size_t each = length;
    for (cmsghdr* item = CMSG_FIRSTHDR(&head); item; item = CMSG_NXTHDR(&head, item)) {
      int size = 0;
      if (item->cmsg_level == IPPROTO_UDP && item->cmsg_type == UDP_GRO) std::memcpy(&size, CMSG_DATA(item), sizeof size);
      if (size > 0) each = static_cast<size_t>(size);
    }
    const EndpointKey from = endpointKey(batch.names[i]);
    size_t at = 0;
    do {
      const size_t part = std::min(each, length - at);
      if (part >= kPacketBytes || head.msg_flags & MSG_TRUNC)
        counters_.add(Counter::receivedTooBig);
      else
        takeFromSocket(batch.bytes[i] + at, part, from, now);
      at += each;
    } while (at < length);
  }
  coalescer_.flush();
}

void Datapath::takeFromSocket(uint8_t* bytes, size_t length, EndpointKey from, double now) {
  const Outcome outcome = classifyIn(bytes, length, from, now);
  if (outcome == Outcome::dropped) counters_.add(Counter::droppedIn);
  if (outcome == Outcome::passed) {
    if (coalescer_.allowed())
      coalescer_.add(bytes, length);
    else if (writeAdapter(bytes, length))
      counters_.add(Counter::packetsIn);
  }
  if (outcome != Outcome::up && outcome != Outcome::stranger) return;
  const bool server = servers_.read().contains(from);
  // The engine's time is for those whom it knows: a flood of strangers gets no more of it than this, however fast it comes.
  if (!server && outcome == Outcome::stranger && !strangers_.take(0, now)) return counters_.add(Counter::lostOther);
  const auto kind = server ? Upcall::serverDatagram : Upcall::otherDatagram;
  raise(server ? RingName::server : RingName::other, datagramHead(kind, length, from), bytes);
}

Datapath::Outcome Datapath::classifyIn(const uint8_t* bytes, size_t length, EndpointKey from, double now) {
  Packet packet;
  if (!readPacket(bytes, length, packet) || !isOurs(packet.destination)) return Outcome::stranger;
  Peer* peer = peers_.find(packet.source);
  if (!peer || peer->endpoint.load(std::memory_order_relaxed) != from) return Outcome::stranger;
  if (packet.echoReply && packet.destinationPort == probeId_.load(std::memory_order_relaxed)) return Outcome::up;
  const Outcome outcome = verdict(packet, true);
  if (outcome != Outcome::passed) return outcome;
  peer->lastReceivedMs.store(now, std::memory_order_relaxed);
  peer->packetsIn.fetch_add(1, std::memory_order_relaxed);
  peer->bytesIn.fetch_add(length, std::memory_order_relaxed);
  counters_.add(Counter::bytesIn, length);
  return Outcome::passed;
}

void Datapath::readErrors() {
  for (size_t i = 0; i < kBatch; i++) {
    uint8_t quoted[64];
    alignas(cmsghdr) uint8_t control[256];
    sockaddr_in name{};
    iovec part{quoted, sizeof quoted};
    msghdr message{};
    message.msg_name = &name;
    message.msg_namelen = sizeof name;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(udp_, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
      // An error whose message found no room in the queue stays on the socket, and epoll would tell it for ever.
      int lone;
      socklen_t length = sizeof lone;
      getsockopt(udp_, SOL_SOCKET, SO_ERROR, &lone, &length);
      return;
    }
    for (cmsghdr* item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
      if (item->cmsg_level != IPPROTO_IP || item->cmsg_type != IP_RECVERR) continue;
      sock_extended_err error;
      std::memcpy(&error, CMSG_DATA(item), sizeof error);
      if (error.ee_origin != SO_EE_ORIGIN_ICMP) continue;
      // The kernel found our socket by the quoted datagram; `name` is where that was sent.
      Upcall head = datagramHead(Upcall::icmp4, 0, endpointKey(name));
      head.type = error.ee_type;
      head.code = error.ee_code;
      raise(RingName::other, head, nullptr);
    }
  }
}

Datapath::Outcome Datapath::verdict(const Packet& packet, bool inward) const {
  if (packet.named) {
    const FlowKey key{
        .local = inward ? packet.destination : packet.source,
        .remote = inward ? packet.source : packet.destination,
        .localPort = inward ? packet.destinationPort : packet.sourcePort,
        .remotePort = packet.echo ? uint16_t{0} : inward ? packet.sourcePort : packet.destinationPort,
        .protocol = packet.protocol,
    };
    if (const Flow* flow = flows_.find(key))
      return flow->drop.load(std::memory_order_relaxed) ? Outcome::dropped : Outcome::passed;
  }
  return defaultPass_.load(std::memory_order_relaxed) ? Outcome::passed : Outcome::up;
}

bool Datapath::isOurs(const Address& address) const {
  const auto& ours = addresses_.read();
  if (std::find(ours.begin(), ours.end(), address) != ours.end()) return true;
  const auto& [accept, except] = ranges_.read();
  const auto has = [&](const Range& range) { return range.has(address); };
  return std::any_of(accept.begin(), accept.end(), has) && std::none_of(except.begin(), except.end(), has);
}

// Any thread: one packet is one write, and the kernel keeps them apart.
bool Datapath::writeAdapter(const uint8_t* bytes, size_t length) {
  uint8_t noOffload[kVnetHeader] = {};
  iovec parts[2] = {{noOffload, kVnetHeader}, {const_cast<uint8_t*>(bytes), length}};
  const int skip = config_.vnetHeader ? 0 : 1;
  return writeParts(parts + skip, 2 - skip);
}

bool Datapath::writeParts(iovec* parts, int count) {
  const int fd = config_.tun.empty() ? -1 : config_.tun[0];
  ssize_t written;
  do written = writev(fd, parts, count);
  while (written < 0 && errno == EINTR);
  if (written >= 0) return true;
  counters_.add(Counter::deliverErrors);
  if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
    counters_.add(Counter::writeNoBuffers);
  else
    counters_.add(errno == EIO ? Counter::writeDown : Counter::writeInvalid);
  return false;
}

void Datapath::deliverJoined(const Write& write) {
  if (write.super) counters_.add(Counter::adapterJoined);
  if (writeParts(write.parts, write.count))
    counters_.add(Counter::packetsIn, write.packets);
  else if (write.super && errno == EINVAL)
    coalescer_.allow(false, false);  // this kernel takes none; the streams repair what was lost
}

void Datapath::raise(RingName name, Upcall head, const uint8_t* payload) {
  static constexpr Counter kUp[] = {Counter::upcallsServer, Counter::upcallsAdapter, Counter::upcallsOther};
  static constexpr Counter kLost[] = {Counter::lostServer, Counter::lostAdapter, Counter::lostOther};
  Ring& ring = name == RingName::server ? serverRing_ : name == RingName::adapter ? adapterRing_ : otherRing_;
  const bool taken = ring.push(head, payload);
  counters_.add((taken ? kUp : kLost)[static_cast<size_t>(name)]);
  raised_ = raised_ || taken;
}

}  // namespace shipworm
