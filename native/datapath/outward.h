// The way from the adapter to the peers: reads one queue, judges by the tables, and sends in batches.
#pragma once
#include <memory>

#include "lane.h"
#include "segment.h"
#include "sender.h"

namespace shipworm {

class Outward : public Lane {
 public:
  // What local programs send has a budget of its own.
  Ring ring{1 << 20, 4096};

  // `tun` belongs to somebody else, who closes it when the lane is no more.
  Outward(State& state, int tun);
  ~Outward() override { stop(); }
  // Null, with errno set, when it can't wait for the adapter.
  static std::unique_ptr<Outward> open(State& state, int tun);

  // While the thread is stopped: the socket to send by; -1: none, and what still waits goes nowhere.
  void use(int socket, bool segmentation);

 private:
  // What is read lies one after another in here until it is sent: small enough for the cache.
  static constexpr size_t kArenaBytes = 4 * kSuperBytes;

  void turn() override;
  ssize_t readMore(uint8_t* into);
  size_t handle(size_t at, size_t length, double now);
  void take(uint8_t* bytes, const SuperPacket& packet, size_t length, double now);
  Outcome classify(const uint8_t* bytes, size_t length, size_t packets, double now, EndpointKey& to);
  void flush(double now);

  const int tun_;
  int socket_ = -1;
  Sender sender_;
  // A packet waits here no longer than its batch, but for what the socket won't take yet, while the adapter is not read.
  std::unique_ptr<uint8_t[]> arena_;
  bool peeks_ = true;
};

}  // namespace shipworm
