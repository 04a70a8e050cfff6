// The rules of the kernel's tcp_gro_receive and udp_gro_receive_segment, for packets without extension headers.
#include "coalesce.h"

#include <cstring>

#include "checksum.h"
#include "packet.h"

namespace shipworm {

namespace {

constexpr size_t kTcpHeader = 20, kUdpHeader = 8;
constexpr uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kUrg = 0x20, kCwr = 0x80;

bool sumsUp(const uint8_t* packet, size_t length, uint8_t protocol) {
  const size_t upper = length - kIp6Header;
  const uint64_t sum = sumPseudoHeader(packet + 8, static_cast<uint32_t>(upper), protocol) + sumWords(packet + kIp6Header, upper);
  return foldSum(sum) == 0xffff;
}

}  // namespace

uint32_t Coalescer::View::sequence() const { return read32(packet + kTransport + 4); }

// False for whatever is never joined. A wrong checksum too: the kernel doesn't look at those of a super-packet's parts.
bool Coalescer::view(uint8_t* packet, size_t length, View& view) const {
  const uint8_t protocol = packet[6];
  if (protocol == kTcp && tcp_) {
    if (length < kTransport + kTcpHeader) return false;
    view = {packet, length, kTransport + size_t{static_cast<size_t>(packet[kTransport + 12] >> 4)} * 4, true};
    if (view.headers < kTransport + kTcpHeader || view.headers >= length) return false;
    if (view.flags() & (kSyn | kRst | kUrg | kCwr)) return false;
  } else if (protocol == kUdp && udp_) {
    if (length <= kTransport + kUdpHeader) return false;
    view = {packet, length, kTransport + kUdpHeader, false};
    if (read16(packet + kTransport + 4) != length - kTransport || read16(packet + kTransport + 6) == 0) return false;
  } else {
    return false;
  }
  return sumsUp(packet, length, protocol);
}

// Addresses, protocol and ports.
bool Coalescer::sameFlow(const View& a, const View& b) {
  return a.packet[6] == b.packet[6] && std::memcmp(a.packet + 8, b.packet + 8, 32 + 4) == 0;
}

bool Coalescer::joins(const Group& group, const View& next) {
  const View& first = group.first;
  if (group.closed || group.packets == kMaxPackets) return false;
  if (next.headers != first.headers || next.payload() > first.payload()) return false;
  if (group.first.headers - kTransport + group.bytes + next.payload() + kTransport > kMaxBytes) return false;
  // Version, traffic class (ECN with it) and flow label; hop limit.
  if (std::memcmp(next.packet, first.packet, 4) != 0 || next.packet[7] != first.packet[7]) return false;
  if (!first.tcp) return true;
  const uint8_t* a = first.packet + kTransport;
  const uint8_t* b = next.packet + kTransport;
  if (next.sequence() != first.sequence() + static_cast<uint32_t>(group.bytes)) return false;
  // Acknowledgement; offset and reserved bits; flags but for the two that may end a group; window; options.
  return std::memcmp(a + 8, b + 8, 4) == 0 && a[12] == b[12] && ((a[13] ^ b[13]) & ~(kFin | kPsh)) == 0 &&
         std::memcmp(a + 14, b + 14, 2) == 0 && std::memcmp(a + 18, b + 18, first.headers - kTransport - 18) == 0;
}

Coalescer::Group* Coalescer::groupOf(const uint8_t* packet, size_t length) {
  if (length < kTransport + 4) return nullptr;
  for (Group& group : groups_)
    if (group.packets && sameFlow(group.first, View{const_cast<uint8_t*>(packet), length, kTransport, false})) return &group;
  return nullptr;
}

void Coalescer::start(const View& first) {
  Group* free = nullptr;
  for (Group& group : groups_)
    if (!group.packets) free = &group;
  if (!free) {
    for (Group& group : groups_)
      if (!free || group.since < free->since) free = &group;
    write(*free);
  }
  free->first = first;
  free->bytes = 0;
  free->closed = false;
  free->since = ++started_;
  append(*free, first);
}

void Coalescer::append(Group& group, const View& next) {
  group.parts[2 + group.packets++] = {next.packet + next.headers, next.payload()};
  group.bytes += next.payload();
  group.lastFlags = next.tcp ? next.flags() : uint8_t{0};
  // A short one is the last one; so is what ends the stream or asks to be handed on.
  group.closed = next.payload() < group.first.payload() || (group.lastFlags & (kFin | kPsh));
}

void Coalescer::add(uint8_t* packet, size_t length) {
  View next;
  const bool joinable = view(packet, length, next);
  Group* group = groupOf(packet, length);
  if (joinable && group && joins(*group, next)) return append(*group, next);
  if (group) write(*group);
  if (joinable) return start(next);
  writeSingle(packet, length);
}

void Coalescer::flush() {
  // In the order in which they began.
  for (;;) {
    Group* oldest = nullptr;
    for (Group& group : groups_)
      if (group.packets && (!oldest || group.since < oldest->since)) oldest = &group;
    if (!oldest) return;
    write(*oldest);
  }
}

void Coalescer::writeSingle(uint8_t* packet, size_t length) {
  VnetHeader none{};
  iovec parts[2] = {{&none, kVnetHeader}, {packet, length}};
  writer_(context_, {parts, 2, 1, false});
}

void Coalescer::write(Group& group) {
  const View& first = group.first;
  const size_t packets = group.packets;
  group.packets = 0;
  if (packets == 1) return writeSingle(first.packet, first.length);
  uint8_t* head = first.packet;
  const size_t upper = first.headers - kTransport + group.bytes;
  store16(head + 4, static_cast<uint16_t>(upper));
  uint8_t* field = head + kTransport + (first.tcp ? 16 : 6);
  if (first.tcp)
    head[kTransport + 13] |= group.lastFlags & (kFin | kPsh);
  else
    store16(head + kTransport + 4, static_cast<uint16_t>(upper));
  // The kernel wants the pseudo header's sum, not complemented, and does the rest where it is needed.
  const uint16_t pseudo = foldSum(sumPseudoHeader(head + 8, static_cast<uint32_t>(upper), first.tcp ? kTcp : kUdp));
  std::memcpy(field, &pseudo, sizeof pseudo);
  VnetHeader header{};
  header.flags = kVnetNeedsSum;
  header.gsoType = first.tcp ? kGsoTcp6 : kGsoUdp;
  header.headerBytes = static_cast<uint16_t>(first.headers);
  header.gsoBytes = static_cast<uint16_t>(first.payload());
  header.sumStart = kTransport;
  header.sumOffset = first.tcp ? 16 : 6;
  group.parts[0] = {&header, kVnetHeader};
  group.parts[1] = {head, first.headers};
  writer_(context_, {group.parts.data(), static_cast<int>(packets + 2), packets, true});
}

}  // namespace shipworm
