// Reads from an IPv6 packet what the tables ask about; whatever is out of the ordinary is left to the engine.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace shipworm {

using EndpointKey = uint64_t;  // IPv4 address << 16 | port, in host order

// IPv6 address as its 16 bytes in memory, for comparison only.
struct Address {
  uint64_t high, low;
  bool operator==(const Address&) const = default;
};

inline Address readAddress(const uint8_t* bytes) {
  Address address;
  std::memcpy(&address, bytes, sizeof address);
  return address;
}

inline uint16_t read16(const uint8_t* bytes) { return static_cast<uint16_t>(bytes[0] << 8 | bytes[1]); }

inline constexpr size_t kIp6Header = 40;
inline constexpr size_t kFragmentHeader = 8;
inline constexpr uint8_t kTcp = 6, kUdp = 17, kFragment = 44, kIcmp6 = 58;
inline constexpr uint8_t kEchoRequest = 128, kEchoReply = 129;
inline constexpr uint8_t kRouterSolicitation = 133, kRedirect = 137;  // neighbour discovery

struct Packet {
  Address source, destination;
  uint8_t protocol;
  bool named;  // the ports below are known, so that a flow can be looked up
  bool echo, echoReply;
  uint16_t sourcePort, destinationPort;  // ICMPv6 echo: the identifier in both
};

// A set of addresses: those whose bits under `mask` are those of `value`.
struct Range {
  Address value, mask;
  bool has(const Address& address) const {
    return (address.high & mask.high) == value.high && (address.low & mask.low) == value.low;
  }
};

// Fixed part of an upper-layer header, which a first fragment must hold (RFC 7112 §5).
inline size_t upperHeader(uint8_t protocol) { return protocol == kTcp ? 20 : 8; }

// True when `bytes` are exactly one IPv6 packet that carries TCP, UDP or ICMPv6, perhaps behind one fragment header.
// Everything else (other indicators, trailers, bubbles, other extension headers, neighbour discovery, no hop left) is false.
inline bool readPacket(const uint8_t* bytes, size_t length, Packet& packet) {
  if (length < kIp6Header || bytes[0] >> 4 != 6 || read16(bytes + 4) != length - kIp6Header || bytes[7] == 0) return false;
  packet.source = readAddress(bytes + 8);
  packet.destination = readAddress(bytes + 24);
  packet.protocol = bytes[6];
  packet.named = packet.echo = packet.echoReply = false;
  size_t offset = kIp6Header;
  bool first = true, more = false;
  if (packet.protocol == kFragment) {
    if (length < kIp6Header + kFragmentHeader) return false;
    packet.protocol = bytes[kIp6Header];
    first = (read16(bytes + kIp6Header + 2) & 0xfff8) == 0;
    more = bytes[kIp6Header + 3] & 1;
    offset += kFragmentHeader;
  }
  if (packet.protocol != kTcp && packet.protocol != kUdp && packet.protocol != kIcmp6) return false;
  if (!first) return true;
  const uint8_t* upper = bytes + offset;
  const size_t left = length - offset;
  if (more && left < upperHeader(packet.protocol)) return false;
  if (packet.protocol == kIcmp6 && left >= 8 && upper[0] >= kRouterSolicitation && upper[0] <= kRedirect) return false;
  // Only the first fragment carries the ports: the pieces of one packet go one way together, and the default decides which.
  if (more) return true;
  if (packet.protocol != kIcmp6) {
    if (left < 4) return true;
    packet.named = true;
    packet.sourcePort = read16(upper);
    packet.destinationPort = read16(upper + 2);
  } else if (left >= 8 && (upper[0] == kEchoRequest || upper[0] == kEchoReply)) {
    packet.named = packet.echo = true;
    packet.echoReply = upper[0] == kEchoReply;
    packet.sourcePort = packet.destinationPort = read16(upper + 4);
  }
  return true;
}

}  // namespace shipworm
