// States what the fuzz targets share: a check that ends the run with its place, and a copy of bytes that ASan guards on both sides.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#define CHECK(what)                                                        \
  do {                                                                     \
    if (!(what)) {                                                         \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)

// Exactly as long as its content: one byte beyond is a fault.
struct Exact {
  explicit Exact(const uint8_t* from, size_t count) : bytes(new uint8_t[count]), length(count) {
    if (count) std::memcpy(bytes.get(), from, count);
  }
  std::unique_ptr<uint8_t[]> bytes;
  size_t length;
};

// RFC 1071 in its plainest form, 16 bits at a time: the reference for the vectorised one.
inline uint16_t plainSum(uint32_t sum, const uint8_t* bytes, size_t length) {
  for (size_t i = 0; i < length; i++) sum += i % 2 ? bytes[i] : uint32_t{bytes[i]} << 8, sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// Sum over the pseudo-header and all that follows the fixed header (RFC 8200 §8.1); 0xffff where the checksum is right.
inline uint16_t upperSum(const uint8_t* packet, size_t length, uint8_t protocol) {
  const uint16_t addresses = plainSum(0, packet + 8, 32);
  const size_t upper = length - 40;
  const uint8_t rest[8] = {0, 0, static_cast<uint8_t>(upper >> 8), static_cast<uint8_t>(upper), 0, 0, 0, protocol};
  return plainSum(plainSum(addresses, rest, sizeof rest), packet + 40, upper);
}
