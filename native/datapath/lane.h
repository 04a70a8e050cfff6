// One thread of the datapath: it waits for its descriptors, handles what they have, and wakes the writer for what went up.
#pragma once
#include <atomic>
#include <thread>

#include "ring.h"
#include "state.h"

namespace shipworm {

// A lane carries packets one way only, so that each way has a core of its own where there are several. All public members belong to the
// writer's thread.
class Lane {
 public:
  Lane(State& state, const char* name) : state_(state), reader_(state.grace.addReader()), name_(name) {}
  // Whoever derives from this stops the thread first.
  virtual ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Begins the thread. False with `failure` set when there is none to be had.
  bool start(SystemFailure& failure);
  // Ends it; it may be started again. Idempotent.
  void stop();
  // Has `poked` called soon.
  void poke();

 protected:
  struct Kind {
    Counter up, lost;
  };
  // Makes what the thread waits by; false with errno set.
  bool prepare();
  // `id` comes back in `ready`; kTold is taken.
  bool watch(int fd, uint32_t events, uint64_t id, int operation);
  // Thread only, inside a grace period: `events` of the descriptor `id`.
  virtual void ready(uint64_t id, uint32_t events) = 0;
  // Thread only, inside a grace period: after `poke`.
  virtual void poked() {}
  // Thread only: into the ring, or counted as lost; one wake-up for the whole batch.
  void raise(Ring& ring, Kind kind, const Upcall& head, const uint8_t* payload);

  State& state_;

 private:
  static constexpr uint64_t kTold = UINT64_MAX;
  void run();
  void heed();

  Grace::Reader& reader_;
  const char* const name_;
  int epoll_ = -1, told_ = -1;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  bool raised_ = false;  // since the last wake
};

// Head of an upcall about a datagram to or from `endpoint`.
inline Upcall upcallHead(Upcall::Kind kind, size_t length, EndpointKey endpoint) {
  Upcall head{};
  head.length = static_cast<uint32_t>(length);
  head.kind = kind;
  head.ip = static_cast<uint32_t>(endpoint >> 16);
  head.port = static_cast<uint16_t>(endpoint);
  return head;
}

}  // namespace shipworm
