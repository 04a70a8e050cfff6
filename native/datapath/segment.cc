// The segmentation that a network card would do: TSO (RFC 9293 fields) and USO, for IPv6.
#include "segment.h"

#include <algorithm>
#include <cstring>

#include "checksum.h"
#include "packet.h"

namespace shipworm {

namespace {

constexpr size_t kTcpHeader = 20, kUdpHeader = 8;
constexpr size_t kTcpChecksum = 16, kUdpChecksum = 6;
constexpr uint8_t kFin = 0x01, kPsh = 0x08, kCwr = 0x80;

}  // namespace

bool SuperPacket::read(const VnetHeader& header, uint8_t* packet, size_t length) {
  packet_ = packet;
  length_ = length;
  gso_ = 0;
  segments_ = 1;
  const bool sum = header.flags & kVnetNeedsSum;
  const uint8_t kind = header.gsoType & ~kGsoEcn;
  if (kind == kGsoNone) {
    headers_ = length;
    if (!sum) return true;
    const size_t field = size_t{header.sumStart} + header.sumOffset;
    if (field + 2 > length || header.sumStart < kIp6Header) return false;
    // The kernel left the pseudo header's sum in the field.
    storeChecksum(packet + field, foldSum(sumWords(packet + header.sumStart, length - header.sumStart)),
                  header.sumOffset == kUdpChecksum);
    return true;
  }
  tcp_ = kind == kGsoTcp6;
  transport_ = header.sumStart;
  if ((!tcp_ && kind != kGsoUdp) || !sum || header.gsoBytes == 0 || transport_ < kIp6Header) return false;
  if (header.sumOffset != (tcp_ ? kTcpChecksum : kUdpChecksum)) return false;
  if (transport_ + (tcp_ ? kTcpHeader : kUdpHeader) > length || packet[0] >> 4 != 6) return false;
  headers_ = transport_ + (tcp_ ? size_t{static_cast<size_t>(packet[transport_ + 12] >> 4)} * 4 : kUdpHeader);
  if (headers_ < transport_ + (tcp_ ? kTcpHeader : kUdpHeader) || headers_ > kMaxHeaders || headers_ >= length) return false;
  gso_ = header.gsoBytes;
  segments_ = (length - headers_ + gso_ - 1) / gso_;
  return true;
}

size_t SuperPacket::payloadLength(size_t i) const { return std::min(gso_, length_ - headers_ - i * gso_); }

void SuperPacket::writeHeaders(size_t i, uint8_t* into) const {
  const size_t data = payloadLength(i);
  const size_t upper = headers_ - transport_ + data;
  std::memcpy(into, packet_, headers_);
  store16(into + 4, static_cast<uint16_t>(headers_ - kIp6Header + data));
  uint8_t* head = into + transport_;
  uint8_t* field = head + (tcp_ ? kTcpChecksum : kUdpChecksum);
  if (tcp_) {
    store32(head + 4, read32(head + 4) + static_cast<uint32_t>(i * gso_));
    // What ends the stream or asks to be handed on at once holds for the last byte, the congestion signal for the first.
    if (i + 1 < segments_) head[13] &= static_cast<uint8_t>(~(kFin | kPsh));
    if (i > 0) head[13] &= static_cast<uint8_t>(~kCwr);
  } else {
    store16(head + 4, static_cast<uint16_t>(upper));
  }
  field[0] = field[1] = 0;
  uint64_t sum = sumPseudoHeader(into + 8, static_cast<uint32_t>(upper), tcp_ ? kTcp : kUdp);
  // The headers after the IPv6 ones are of even length, so the sums add up.
  sum += sumWords(head, headers_ - transport_) + sumWords(payload(i), data);
  storeChecksum(field, foldSum(sum), !tcp_);
}

}  // namespace shipworm
