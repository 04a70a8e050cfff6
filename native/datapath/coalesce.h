// Joins the packets of one stream that arrive one after another, as the kernel's own GRO would, into one write to the adapter.
#pragma once
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "vnet.h"

namespace shipworm {

// What is written to the adapter at once: header for the kernel, headers of the packet, payloads. Valid during the call only.
struct Write {
  iovec* parts;
  int count;
  size_t packets;
  bool super;  // needs an adapter that takes segmentation types
};

// Packets are given in the order of their arrival and written in that order within each flow; different flows may change places. What
// it was given must stay where it lies until `flush`. One batch's packets only: nothing waits for more to come.
class Coalescer {
 public:
  using Writer = void (*)(void* context, const Write& write);

  Coalescer(Writer writer, void* context) : writer_(writer), context_(context) {}
  // Which super-packets the adapter takes.
  void allow(bool tcp, bool udp) {
    tcp_ = tcp;
    udp_ = udp;
  }
  bool allowed() const { return tcp_ || udp_; }
  // A whole IPv6 packet that may be delivered.
  void add(uint8_t* packet, size_t length);
  void flush();

 private:
  static constexpr size_t kGroups = 8;
  // As many as the kernel's own socket buffer has room for; with 1280 bytes each, 64 KB are full before.
  static constexpr size_t kMaxPackets = 64;
  static constexpr size_t kMaxBytes = 65535;  // the largest payload length an IPv6 header can name

  struct View {
    uint8_t* packet;
    size_t length, headers;
    bool tcp;
    size_t payload() const { return length - headers; }
    uint8_t flags() const { return packet[kTransport + 13]; }
    uint32_t sequence() const;
  };
  struct Group {
    size_t packets = 0;  // 0: free
    View first{};
    size_t bytes = 0;  // of payload, in all
    bool closed = false;
    uint8_t lastFlags = 0;
    uint64_t since = 0;
    std::array<iovec, kMaxPackets + 2> parts;
  };
  static constexpr size_t kTransport = 40;

  bool view(uint8_t* packet, size_t length, View& view) const;
  static bool sameFlow(const View& a, const View& b);
  static bool joins(const Group& group, const View& next);
  Group* groupOf(const uint8_t* packet, size_t length);
  void start(const View& first);
  static void append(Group& group, const View& next);
  void write(Group& group);
  void writeSingle(uint8_t* packet, size_t length);

  Writer writer_;
  void* context_;
  bool tcp_ = false, udp_ = false;
  std::array<Group, kGroups> groups_;
  uint64_t started_ = 0;
};

}  // namespace shipworm
