// Gathers packets on their way to peers and sends them with few system calls: sendmmsg, and UDP_SEGMENT where the kernel has it.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>

#include "counters.h"
#include "segment.h"
#include "tap.h"

namespace shipworm {


// A failed send of `packets` datagrams, by its cause.
void countSendError(Counters& counters, int error, uint64_t packets);

// Packets of one length to one endpoint, the last one perhaps shorter, become one send. Order is kept. What is appended must
// stay where it lies until `flush` has sent it.
class Sender {
 public:
  // A super-packet has at most this many segments (64 KB in segments of 48 bytes, the smallest a TCP makes).
  static constexpr size_t kMaxPackets = 1400;

  Sender(Counters& counters, Tap& tap) : counters_(counters), tap_(tap), room_(new Room) {}
  void use(int socket, bool segmentation) {
    socket_ = socket;
    segmentation_ = segmentation;
  }
  bool segmentation() const { return segmentation_; }

  // Forgets what waits.
  void clear() { messages_ = sent_ = parts_ = packets_ = headers_ = 0; }
  bool empty() const { return sent_ == messages_; }
  // Room for `packets` more; an empty one has room for a super-packet.
  bool hasRoom(size_t packets) const { return packets_ + packets <= kRoom; }

  void append(EndpointKey to, const uint8_t* packet, size_t length, double now);
  void append(EndpointKey to, const SuperPacket& packet, double now);
  // Sends what is there. False when the socket takes no more now: the rest waits for the next call.
  bool flush(double now);
  // Whether a send met an error of an earlier datagram since it was asked last.
  bool takeMetError() { return std::exchange(metError_, false); }

 private:
  static constexpr size_t kRoom = 2 * kMaxPackets;
  // The kernel's own limits of one UDP_SEGMENT send (UDP_MAX_SEGMENTS, and what fits in an IPv4 packet).
  static constexpr size_t kMaxSegments = 64, kMaxBytes = 65000;
  // How long an endpoint that refused a segmented send gets single ones: a route's MTU may change.
  static constexpr double kSingleMs = 60'000;
  static constexpr size_t kMaxSingles = 1024;

  struct Message {
    EndpointKey to;
    uint32_t firstPart, parts;
    uint32_t packets, bytes;
    uint32_t segment;  // bytes of each packet but the last
    bool closed;       // the last one is shorter
  };
  struct Room {
    Message messages[kRoom];
    iovec parts[2 * kRoom];
    uint8_t headers[kRoom][SuperPacket::kMaxHeaders];
  };
  static constexpr size_t kVector = 64;

  void open(EndpointKey to, size_t length, double now);
  // One datagram of `message`, the first not before part `part`; returns where its parts end.
  size_t partsOf(const Message& message, uint32_t nth, size_t part) const;
  void copy(const Message& message);
  bool mayJoin(EndpointKey to, size_t length) const;
  bool sendsSingly(EndpointKey to, double now);
  void split();
  void failed(int error, double now);

  Counters& counters_;
  Tap& tap_;
  int socket_ = -1;
  bool segmentation_ = false;
  std::unique_ptr<Room> room_;
  size_t messages_ = 0, sent_ = 0, parts_ = 0, packets_ = 0, headers_ = 0;
  int pendingErrors_ = 0;
  bool metError_ = false;
  std::unordered_map<EndpointKey, double> singles_;
};

}  // namespace shipworm
