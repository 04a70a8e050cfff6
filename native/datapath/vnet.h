// States the header that the kernel puts before a packet of a TUN adapter with offloads (virtio_net_hdr, 10 bytes, host order).
#pragma once
#include <cstddef>
#include <cstdint>

namespace shipworm {

// linux/virtio_net.h has it, but not for C++.
struct VnetHeader {
  uint8_t flags;        // kVnetNeedsSum
  uint8_t gsoType;      // kGso…
  uint16_t headerBytes;  // a hint
  uint16_t gsoBytes;     // payload of each segment but the last
  uint16_t sumStart;     // the checksum is over what begins here …
  uint16_t sumOffset;    // … and stands this far behind
};

inline constexpr size_t kVnetHeader = sizeof(VnetHeader);
static_assert(kVnetHeader == 10);

inline constexpr uint8_t kVnetNeedsSum = 1;
inline constexpr uint8_t kGsoNone = 0, kGsoTcp6 = 4, kGsoUdp = 5, kGsoEcn = 0x80;

}  // namespace shipworm
