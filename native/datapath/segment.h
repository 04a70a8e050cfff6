// Cuts what the adapter hands over as one super-packet into the packets that go over the wire, with their checksums.
#pragma once
#include <cstddef>
#include <cstdint>

#include "vnet.h"

namespace shipworm {

// One super-packet of TCP or UDP (TSO6, USO6), or one plain packet whose checksum is still to be done. The headers of each segment are
// written to room that the caller gives; its payload stays where it lies.
class SuperPacket {
 public:
  // IPv6 header, extension headers and TCP with all its options; the kernel makes no longer ones.
  static constexpr size_t kMaxHeaders = 160;

  // Reads the adapter's header and looks whether packet and header fit together. False when they don't: nothing of it can
  // be sent then. A packet that needs nothing is one segment without a change.
  bool read(const VnetHeader& header, uint8_t* packet, size_t length);

  // How many packets it makes; 1 for a plain packet.
  size_t segments() const { return segments_; }
  // True for a plain packet, which is complete as it lies (its checksum was done by `read`).
  bool plain() const { return gso_ == 0; }
  size_t headerLength() const { return headers_; }
  // Bytes of payload in segment `i`.
  size_t payloadLength(size_t i) const;
  const uint8_t* payload(size_t i) const { return packet_ + headers_ + i * gso_; }
  // Writes the headers of segment `i` (headerLength() bytes), checksum included.
  void writeHeaders(size_t i, uint8_t* into) const;

 private:
  uint8_t* packet_ = nullptr;
  size_t length_ = 0, headers_ = 0, transport_ = 0, gso_ = 0, segments_ = 1;
  bool tcp_ = false;
};

}  // namespace shipworm
