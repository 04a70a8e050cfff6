// A bounded ring of upcall records from the datapath thread to the JavaScript thread; when it is full, records are refused.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace shipworm {

// Head of each record, in the ring and in what JavaScript drains; the payload follows, padded to 8 bytes.
struct Upcall {
  enum Kind : uint8_t { serverDatagram, otherDatagram, packet, icmp4 };
  uint32_t length;
  uint8_t kind, type, code, zero;
  uint32_t ip;
  uint16_t port, zero2;
};
static_assert(sizeof(Upcall) == 16);

// One producer, one consumer. Bytes and records are both limited, so that neither large nor many small ones hurt.
class Ring {
 public:
  // `bytes`: a power of two.
  Ring(uint32_t bytes, uint32_t records) : mask_(bytes - 1), records_(records), data_(new uint8_t[bytes]) {}

  // Producer. False when there is no room.
  bool push(const Upcall& head, const uint8_t* payload) {
    const uint64_t need = recordBytes(head.length), size = mask_ + 1;
    uint64_t tail = tail_.load(std::memory_order_relaxed);
    const uint64_t start = start_.load(std::memory_order_acquire);
    if (pushed_.load(std::memory_order_relaxed) - popped_.load(std::memory_order_relaxed) >= records_) return false;
    // A record lies in one piece: when it doesn't fit before the end, a mark sends the consumer to the beginning.
    const uint64_t beforeEnd = size - (tail & mask_);
    const uint64_t skip = need > beforeEnd ? beforeEnd : 0;
    if (tail + skip + need - start > size) return false;
    if (skip) {
      std::memcpy(at(tail), &kSkip, sizeof kSkip);
      tail += skip;
    }
    std::memcpy(at(tail), &head, sizeof head);
    if (head.length) std::memcpy(at(tail) + sizeof head, payload, head.length);
    pushed_.fetch_add(1, std::memory_order_relaxed);
    tail_.store(tail + need, std::memory_order_release);
    return true;
  }

  // Consumer. Moves whole records into `into`, as many as fit in `room`; returns the bytes used.
  size_t drain(uint8_t* into, size_t room) {
    uint64_t start = start_.load(std::memory_order_relaxed);
    const uint64_t tail = tail_.load(std::memory_order_acquire);
    size_t used = 0;
    while (start != tail) {
      uint32_t length;
      std::memcpy(&length, at(start), sizeof length);
      if (length == kSkip) {
        start += mask_ + 1 - (start & mask_);
        continue;
      }
      const size_t record = recordBytes(length);
      if (record > room - used) break;
      std::memcpy(into + used, at(start), record);
      used += record;
      start += record;
      popped_.fetch_add(1, std::memory_order_relaxed);
    }
    start_.store(start, std::memory_order_release);
    return used;
  }

  bool empty() const { return start_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_acquire); }

 private:
  static constexpr uint32_t kSkip = UINT32_MAX;

  static size_t recordBytes(uint32_t length) { return sizeof(Upcall) + ((length + size_t{7}) & ~size_t{7}); }
  uint8_t* at(uint64_t position) { return data_.get() + (position & mask_); }

  const uint64_t mask_;
  const uint64_t records_;
  std::unique_ptr<uint8_t[]> data_;
  std::atomic<uint64_t> start_{0}, tail_{0};
  std::atomic<uint64_t> pushed_{0}, popped_{0};
};

}  // namespace shipworm
