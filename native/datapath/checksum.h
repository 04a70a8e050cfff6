// Sums of the Internet checksum (RFC 1071), as the offloads of adapter and socket need them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace shipworm {

// The sum of the bytes taken as 16-bit words as they lie in memory, an odd last byte padded with 0. The ones' complement sum
// doesn't care for byte order (RFC 1071 §2 B), so it is folded and stored as it is. In a file of its own: built to use vectors.
uint64_t sumWords(const uint8_t* bytes, size_t length);

// Folded to 16 bits, not complemented, in memory order.
inline uint16_t foldSum(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

inline void store16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

inline void store32(uint8_t* at, uint32_t value) {
  store16(at, static_cast<uint16_t>(value >> 16));
  store16(at + 2, static_cast<uint16_t>(value));
}

inline uint32_t read32(const uint8_t* at) {
  return static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1]) << 16 | static_cast<uint32_t>(at[2]) << 8 | at[3];
}

// The pseudo header of RFC 8200 §8.1. `addresses`: source and destination, 32 bytes.
inline uint64_t sumPseudoHeader(const uint8_t* addresses, uint32_t upperLength, uint8_t protocol) {
  uint8_t rest[8] = {};
  store32(rest, upperLength);
  rest[7] = protocol;
  return sumWords(addresses, 32) + sumWords(rest, sizeof rest);
}

// Stores a checksum that is `folded`'s complement; UDP writes an all-zero one as ones (RFC 768).
inline void storeChecksum(uint8_t* at, uint16_t folded, bool udp) {
  uint16_t value = static_cast<uint16_t>(~folded);
  if (udp && value == 0) value = 0xffff;
  std::memcpy(at, &value, sizeof value);
}

}  // namespace shipworm
