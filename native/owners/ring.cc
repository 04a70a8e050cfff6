// The ring's pages: the reader's position, then the writer's position and the records, which are mapped twice so that none is cut.
#include "ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace owners {

EventRing::~EventRing() {
  if (consumer_) munmap(const_cast<uint64_t*>(consumer_), page_);
  if (producer_) munmap(const_cast<uint8_t*>(producer_), page_ + 2 * kRingBytes);
}

int EventRing::open(const Map& map) {
  page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* consumer = mmap(nullptr, page_, PROT_READ | PROT_WRITE, MAP_SHARED, map.fd(), 0);
  if (consumer == MAP_FAILED) return errno;
  consumer_ = static_cast<uint64_t*>(consumer);
  void* producer = mmap(nullptr, page_ + 2 * kRingBytes, PROT_READ, MAP_SHARED, map.fd(), static_cast<off_t>(page_));
  if (producer == MAP_FAILED) return errno;
  producer_ = static_cast<uint8_t*>(producer);
  data_ = producer_ + page_;
  fd_ = map.fd();
  return 0;
}

// A record: u32 length with two flag bits, u32 page; then the bytes, padded to 8.
void EventRing::read(const std::function<void(const Event&)>& visit) {
  constexpr size_t kHead = BPF_RINGBUF_HDR_SZ;
  uint64_t at = *consumer_;
  for (;;) {
    const uint64_t end = __atomic_load_n(reinterpret_cast<const uint64_t*>(producer_), __ATOMIC_ACQUIRE);
    if (at >= end) return;
    while (at < end) {
      const uint8_t* record = data_ + (at & (kRingBytes - 1));
      const uint32_t length = __atomic_load_n(reinterpret_cast<const uint32_t*>(record), __ATOMIC_ACQUIRE);
      if (length & BPF_RINGBUF_BUSY_BIT) return;
      const uint32_t bytes = length & ~BPF_RINGBUF_DISCARD_BIT;
      Event event;
      const bool whole = !(length & BPF_RINGBUF_DISCARD_BIT) && bytes == sizeof event;
      if (whole) std::memcpy(&event, record + kHead, sizeof event);
      at += (bytes + kHead + 7) / 8 * 8;
      __atomic_store_n(const_cast<uint64_t*>(consumer_), at, __ATOMIC_RELEASE);
      if (whole) visit(event);
    }
  }
}

}  // namespace owners
