// Keeps packets of flows about which the engine is still finding out, in the order in which they came.
#pragma once
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "packet.h"

namespace shipworm {

// One thread's. What a flow sends in some milliseconds at full speed fits. Pages that no packet touches cost nothing, and those of a burst
// are given back after it.
class Resting {
 public:
  Resting() : bytes_(static_cast<uint8_t*>(std::aligned_alloc(kPage, kBytes))) {
    if (!bytes_) throw std::bad_alloc();
  }

  bool empty() const { return used_ == 0; }
  void clear() { used_ = 0; }

  // False when there is no room.
  bool add(const uint8_t* packet, size_t length, EndpointKey from) {
    const size_t need = recordBytes(length);
    if (need > kBytes - used_) return false;
    const Head head{from, static_cast<uint32_t>(length), true};
    std::memcpy(bytes_.get() + used_, &head, sizeof head);
    std::memcpy(bytes_.get() + used_ + sizeof head, packet, length);
    used_ += need;
    most_ = std::max(most_, used_);
    return true;
  }

  // `stays(packet, length, from)` says of each whether it goes on resting. What it takes out stays where it lies until `done()`, which
  // comes before the rest moves up.
  template <class Stays, class Done>
  void each(Stays stays, Done done) {
    for (size_t at = 0; at < used_;) {
      Head head = read(at);
      head.stays = stays(bytes_.get() + at + sizeof head, head.length, head.from);
      std::memcpy(bytes_.get() + at, &head, sizeof head);
      at += recordBytes(head.length);
    }
    done();
    size_t kept = 0;
    for (size_t at = 0, size = 0; at < used_; at += size) {
      const Head head = read(at);
      size = recordBytes(head.length);
      if (!head.stays) continue;
      if (kept != at) std::memmove(bytes_.get() + kept, bytes_.get() + at, size);
      kept += size;
    }
    used_ = kept;
    if (empty()) giveBack();
  }

 private:
  static constexpr size_t kBytes = 8 << 20, kPage = 4096, kKept = 64 << 10;
  struct Head {
    EndpointKey from;
    uint32_t length;
    uint32_t stays;
  };

  static size_t recordBytes(size_t length) { return sizeof(Head) + ((length + 15) & ~size_t{15}); }
  Head read(size_t at) const {
    Head head;
    std::memcpy(&head, bytes_.get() + at, sizeof head);
    return head;
  }

  void giveBack() {
    if (most_ > kKept) madvise(bytes_.get() + kKept, most_ - kKept, MADV_DONTNEED);
    most_ = 0;
  }

  struct Free {
    void operator()(uint8_t* bytes) const { std::free(bytes); }
  };
  const std::unique_ptr<uint8_t[], Free> bytes_;
  size_t used_ = 0, most_ = 0;
};

}  // namespace shipworm
