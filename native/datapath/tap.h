// Keeps copies of datagrams for whoever captures, in a bounded buffer; while nobody does, a packet costs one look at a flag.
#pragma once
#include <sys/uio.h>
#include <time.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>

#include "packet.h"

namespace shipworm {

// Head of each copy; the datagram follows, padded to 8 bytes.
struct Tapped {
  uint32_t length;
  uint8_t outward, zero[3];
  uint32_t ip;
  uint16_t port, zero2;
  double atMs;  // CLOCK_REALTIME
};
static_assert(sizeof(Tapped) == 24);

// Several threads put datagrams in, one takes them out. What finds no room is counted.
class Tap {
 public:
  bool on() const { return on_.load(std::memory_order_relaxed); }

  // Forgets what was kept.
  void set(bool on) {
    const std::lock_guard hold(lock_);
    on_.store(on, std::memory_order_relaxed);
    used_ = 0;
    bytes_.reset(on ? new uint8_t[kBytes] : nullptr);
  }

  void add(bool outward, EndpointKey endpoint, const iovec* parts, size_t count) {
    size_t length = 0;
    for (size_t i = 0; i < count; i++) length += parts[i].iov_len;
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    Tapped head{};
    head.length = static_cast<uint32_t>(length);
    head.outward = outward;
    head.ip = static_cast<uint32_t>(endpoint >> 16);
    head.port = static_cast<uint16_t>(endpoint);
    head.atMs = static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
    const size_t record = sizeof head + ((length + 7) & ~size_t{7});
    const std::lock_guard hold(lock_);
    if (!bytes_) return;
    if (record > kBytes - used_) {
      lost_++;
      return;
    }
    uint8_t* into = bytes_.get() + used_;
    std::memcpy(into, &head, sizeof head);
    into += sizeof head;
    for (size_t i = 0; i < count; i++) {
      std::memcpy(into, parts[i].iov_base, parts[i].iov_len);
      into += parts[i].iov_len;
    }
    used_ += record;
  }

  void add(bool outward, EndpointKey endpoint, const uint8_t* bytes, size_t length) {
    const iovec part{const_cast<uint8_t*>(bytes), length};
    add(outward, endpoint, &part, 1);
  }

  // Moves whole copies into `into`, the oldest first; returns the bytes used.
  size_t drain(uint8_t* into, size_t room) {
    const std::lock_guard hold(lock_);
    size_t taken = 0;
    while (taken < used_) {
      uint32_t length;
      std::memcpy(&length, bytes_.get() + taken, sizeof length);
      const size_t record = sizeof(Tapped) + ((length + size_t{7}) & ~size_t{7});
      if (record > room - taken) break;
      std::memcpy(into + taken, bytes_.get() + taken, record);
      taken += record;
    }
    if (taken < used_) std::memmove(bytes_.get(), bytes_.get() + taken, used_ - taken);
    used_ -= taken;
    return taken;
  }

  // Since the datapath was opened.
  uint64_t lost() {
    const std::lock_guard hold(lock_);
    return lost_;
  }

 private:
  static constexpr size_t kBytes = 4 << 20;

  std::atomic<bool> on_{false};
  std::mutex lock_;
  std::unique_ptr<uint8_t[]> bytes_;
  size_t used_ = 0;
  uint64_t lost_ = 0;
};

}  // namespace shipworm
