// One thread of the datapath: it waits for packets, handles them, and wakes the writer for what went up.
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
  // Ends a `waitFor`, the next one if there is none now.
  void poke();

 protected:
  struct Kind {
    Counter up, lost;
  };
  // The grace period of one batch: nothing found in a table outlives it.
  class Batch {
   public:
    explicit Batch(Lane& lane) : lane_(lane) { lane.reader_.enter(); }
    ~Batch() { lane_.reader_.leave(); }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

   private:
    Lane& lane_;
  };
  // Makes what the thread is told by; false with errno set.
  bool prepare();
  // Thread only: waits in one call, the cheapest and soonest way, for packets and handles them. A signal ends the call.
  virtual void turn() = 0;
  // Thread only: what came at `now` came hard upon the turn before, so that more may be there by now. A packet by itself is handed on before
  // anything looks for another.
  bool dense(double now) const { return now - turnedMs_ < kDenseMs; }
  // Thread only: waits until `fd` has one of `events`, or a poke; says which of the events it has.
  short waitFor(int fd, short events);
  // Thread only: into the ring, or counted as lost; one wake-up for the whole batch.
  void raise(Ring& ring, Kind kind, const Upcall& head, const uint8_t* payload);
  // Thread only: what ICMPv4 said of earlier datagrams of `socket` goes up. Whichever call meets a pending error takes it off the socket, so
  // that whoever meets one looks.
  void raiseErrors(int socket, Ring& ring, Kind kind);

  State& state_;

 private:
  // Some packets' time; a question and its answer are further apart.
  static constexpr double kDenseMs = 0.02;

  void run();
  void heed();

  Grace::Reader& reader_;
  const char* const name_;
  int told_ = -1;
  std::thread thread_;
  std::atomic<bool> stopping_{false}, ended_{false};
  bool raised_ = false;  // since the last wake
  double turnedMs_ = 0;
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

// An ICMPv4 error about a datagram of ours to `to`.
inline Upcall errorUpcall(EndpointKey to, uint8_t type, uint8_t code) {
  Upcall head = upcallHead(Upcall::icmp4, 0, to);
  head.type = type;
  head.code = code;
  return head;
}

}  // namespace shipworm
