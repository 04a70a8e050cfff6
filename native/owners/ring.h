// Reads the ring buffer that the kernel programs write (BPF_MAP_TYPE_RINGBUF).
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>

#include "tables.h"

namespace owners {

class EventRing {
 public:
  EventRing() = default;
  ~EventRing();
  EventRing(const EventRing&) = delete;
  EventRing& operator=(const EventRing&) = delete;
  // 0 or errno. `map` outlives it.
  int open(const Map& map);
  // Readable when events wait.
  int fd() const { return fd_; }
  void read(const std::function<void(const Event&)>& visit);

 private:
  int fd_ = -1;
  size_t page_ = 0;
  volatile uint64_t* consumer_ = nullptr;
  const uint8_t* producer_ = nullptr;
  const uint8_t* data_ = nullptr;
};

}  // namespace owners
