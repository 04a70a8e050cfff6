// Fuzzes what the datapath reads from a packet before its tables are asked.
#include "../../../native/datapath/packet.h"

#include "check.h"

using namespace shipworm;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Exact input(data, size);
  Packet packet;
  if (!readPacket(input.bytes.get(), size, packet)) return 0;
  // What passes is one whole IPv6 packet of one of three protocols, with a hop left.
  CHECK(size >= kIp6Header && data[0] >> 4 == 6 && read16(data + 4) == size - kIp6Header && data[7] > 0);
  CHECK(packet.protocol == kTcp || packet.protocol == kUdp || packet.protocol == kIcmp6);
  CHECK(packet.source == readAddress(data + 8) && packet.destination == readAddress(data + 24));
  const size_t at = kIp6Header + (data[6] == kFragment ? kFragmentHeader : 0);
  // Neighbour discovery never passes (RFC 4861 messages are between neighbours, and a tunnel has none).
  const bool first = data[6] != kFragment || (read16(data + kIp6Header + 2) & 0xfff8) == 0;
  if (first && packet.protocol == kIcmp6 && size >= at + 8) CHECK(data[at] < kRouterSolicitation || data[at] > kRedirect);
  // A flow is named by the first bytes of the upper layer of an unfragmented packet, and by nothing else.
  if (!packet.named) return 0;
  CHECK(first && size >= at + 4);
  if (packet.echo)
    CHECK(packet.sourcePort == read16(data + at + 4) && packet.destinationPort == packet.sourcePort && packet.protocol == kIcmp6);
  else
    CHECK(packet.sourcePort == read16(data + at) && packet.destinationPort == read16(data + at + 2) && packet.protocol != kIcmp6);
  return 0;
}
