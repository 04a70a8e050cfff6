// Sums words of the Internet checksum, eight bytes at a time, in a loop that the compiler turns into vector instructions.
#include "checksum.h"

namespace shipworm {

#pragma GCC optimize("O3")

uint64_t sumWords(const uint8_t* bytes, size_t length) {
  uint64_t low = 0, high = 0;
  size_t i = 0;
  for (; i + 32 <= length; i += 32) {
    uint64_t words[4];
    std::memcpy(words, bytes + i, sizeof words);
    for (const uint64_t word : words) {
      low += word & 0xffffffff;
      high += word >> 32;
    }
  }
  uint64_t sum = low + high;
  for (; i + 4 <= length; i += 4) {
    uint32_t word;
    std::memcpy(&word, bytes + i, sizeof word);
    sum += word;
  }
  if (i < length) {
    uint8_t rest[4] = {};
    std::memcpy(rest, bytes + i, length - i);
    uint32_t word;
    std::memcpy(&word, rest, sizeof word);
    sum += word;
  }
  return sum;
}

}  // namespace shipworm
