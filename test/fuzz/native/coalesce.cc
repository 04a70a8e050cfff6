// Fuzzes the joining of packets: what is written to the adapter, cut again, must be what came, byte for byte and in order in each flow.
//
// Input: records of 8 bytes that say how the next packet differs from what its flow would send next:
//   u8 flow (3 bits), UDP (1), checksum broken (1), zero checksum (1), u8 TCP flags, i8 step in the sequence, u8 payload length * 5,
//   u8 option words, u8 hop limit or traffic class, u8 and u8 place and value of a byte to change before the checksum is made.
#include "../../../native/datapath/coalesce.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "../../../native/datapath/packet.h"
#include "../../../native/datapath/segment.h"
#include "check.h"

using namespace shipworm;

namespace {

using Bytes = std::vector<uint8_t>;
constexpr size_t kFlows = 8, kRecord = 8, kMaxPackets = 80;

Bytes build(const uint8_t* record, uint32_t& sequence) {
  const bool udp = record[0] & 8;
  const size_t options = udp ? 0 : record[4] % 11 * 4, upper = udp ? 8 : 20 + options, payload = size_t{record[3]} * 5;
  Bytes packet(40 + upper + payload);
  packet[0] = 0x60;
  packet[1] = record[5] & 0x80 ? record[5] : 0;
  packet[4] = static_cast<uint8_t>((upper + payload) >> 8);
  packet[5] = static_cast<uint8_t>(upper + payload);
  packet[6] = udp ? 17 : 6;
  packet[7] = record[5] & 0x80 ? 64 : static_cast<uint8_t>(64 + record[5] % 2);
  packet[8] = packet[24] = 0x20;
  packet[9] = packet[25] = 0x01;
  packet[23] = record[0] & 7;
  packet[39] = 1;
  uint8_t* at = packet.data() + 40;
  at[1] = record[0] & 7;
  at[3] = 9;
  if (udp) {
    at[4] = packet[4];
    at[5] = packet[5];
  } else {
    sequence += static_cast<uint32_t>(static_cast<int8_t>(record[2]));
    for (int i = 0; i < 4; i++) at[4 + i] = static_cast<uint8_t>(sequence >> (24 - 8 * i));
    sequence += static_cast<uint32_t>(payload);
    at[12] = static_cast<uint8_t>((20 + options) / 4 << 4);
    at[13] = static_cast<uint8_t>(record[1] | 0x10);
    std::fill(at + 20, at + 20 + options, uint8_t{1});
  }
  for (size_t i = 0; i < payload; i++) at[upper + i] = static_cast<uint8_t>(i);
  if (record[7]) packet[record[6] % packet.size()] ^= record[7];
  const size_t sum = udp ? 46 : 56;
  packet[sum] = packet[sum + 1] = 0;
  if (record[0] & 32) return packet;
  const auto value = static_cast<uint16_t>(~upperSum(packet.data(), packet.size(), packet[6]));
  const uint16_t sent = value == 0 && udp ? 0xffff : value;
  packet[sum] = static_cast<uint8_t>(sent >> 8);
  packet[sum + 1] = static_cast<uint8_t>(sent ^ (record[0] >> 4 & 1));
  return packet;
}

// Which packets must not change places: those between the same two ends.
std::string flowOf(const Bytes& packet) {
  std::string key(packet.begin() + 6, packet.begin() + 7);
  key.append(packet.begin() + 8, packet.begin() + 40);
  if (packet.size() >= 44) key.append(packet.begin() + 40, packet.begin() + 44);
  return key;
}

using ByFlow = std::map<std::string, std::vector<Bytes>>;

void takeApart(void* context, const Write& write) {
  Bytes whole;
  for (int i = 0; i < write.count; i++) {
    const auto* from = static_cast<const uint8_t*>(write.parts[i].iov_base);
    whole.insert(whole.end(), from, from + write.parts[i].iov_len);
  }
  VnetHeader header;
  CHECK(whole.size() > sizeof header + 40);
  std::memcpy(&header, whole.data(), sizeof header);
  uint8_t* packet = whole.data() + sizeof header;
  SuperPacket super;
  CHECK(super.read(header, packet, whole.size() - sizeof header));
  CHECK(super.plain() ? write.packets == 1 : write.packets == super.segments() && write.super);
  auto& out = *static_cast<ByFlow*>(context);
  for (size_t i = 0; i < super.segments(); i++) {
    Bytes one;
    if (super.plain()) {
      one.assign(packet, packet + whole.size() - sizeof header);
    } else {
      one.resize(super.headerLength());
      super.writeHeaders(i, one.data());
      one.insert(one.end(), super.payload(i), super.payload(i) + super.payloadLength(i));
    }
    out[flowOf(one)].push_back(std::move(one));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 + kRecord) return 0;
  ByFlow in, out;
  Coalescer coalescer(takeApart, &out);
  coalescer.allow(data[0] & 1, data[0] & 2);
  uint32_t sequences[kFlows] = {};
  std::vector<Exact> batch;
  for (size_t at = 1; at + kRecord <= size && batch.size() < kMaxPackets; at += kRecord) {
    const Bytes packet = build(data + at, sequences[data[at] % kFlows]);
    // Nothing else gets as far as this.
    if (Packet seen; !readPacket(packet.data(), packet.size(), seen)) continue;
    in[flowOf(packet)].push_back(packet);
    batch.emplace_back(packet.data(), packet.size());
  }
  for (Exact& packet : batch) coalescer.add(packet.bytes.get(), packet.length);
  coalescer.flush();
  CHECK(in == out);
  return 0;
}
