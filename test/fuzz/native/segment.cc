// Fuzzes the cutting of super-packets: whatever the adapter hands over, each segment is one whole packet with a right checksum.
#include "../../../native/datapath/segment.h"

#include "check.h"

using namespace shipworm;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  VnetHeader header;
  if (size < sizeof header) return 0;
  std::memcpy(&header, data, sizeof header);
  const Exact input(data + sizeof header, size - sizeof header);
  SuperPacket super;
  if (!super.read(header, input.bytes.get(), input.length)) return 0;
  CHECK(super.segments() >= 1);
  if (super.plain()) {
    CHECK(super.segments() == 1);
    return 0;
  }
  size_t payload = 0;
  for (size_t i = 0; i < super.segments() && i < 256; i++) {
    const size_t length = super.headerLength() + super.payloadLength(i);
    CHECK(super.headerLength() <= SuperPacket::kMaxHeaders && super.payloadLength(i) > 0);
    const std::unique_ptr<uint8_t[]> packet(new uint8_t[length]);
    super.writeHeaders(i, packet.get());
    std::memcpy(packet.get() + super.headerLength(), super.payload(i), super.payloadLength(i));
    payload += super.payloadLength(i);
    CHECK(packet[0] >> 4 == 6);
    CHECK(static_cast<size_t>(packet[4] << 8 | packet[5]) == length - 40);
    // The reference knows no extension headers; and the kernel names the protocol twice, alike.
    if (header.sumStart == 40 && packet[6] == (header.sumOffset == 16 ? 6 : 17)) CHECK(upperSum(packet.get(), length, packet[6]) == 0xffff);
  }
  if (super.segments() <= 256) CHECK(super.headerLength() + payload == input.length);
  return 0;
}
