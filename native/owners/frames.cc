// Writes and reads the parts of frames.
#include "frames.h"

#include <algorithm>
#include <cstring>

namespace owners {

namespace {
constexpr size_t kMaxText = 4096;
constexpr size_t kLengthBytes = 4;
}  // namespace

Writer::Writer(Kind kind) {
  bytes_.reserve(256);
  u32(0).u16(static_cast<uint16_t>(kind));
}

Writer& Writer::u8(uint8_t value) {
  bytes_.push_back(value);
  return *this;
}
Writer& Writer::u16(uint16_t value) { return u8(static_cast<uint8_t>(value >> 8)).u8(static_cast<uint8_t>(value)); }
Writer& Writer::u32(uint32_t value) { return u16(static_cast<uint16_t>(value >> 16)).u16(static_cast<uint16_t>(value)); }
Writer& Writer::u64(uint64_t value) { return u32(static_cast<uint32_t>(value >> 32)).u32(static_cast<uint32_t>(value)); }
Writer& Writer::text(const std::string& value) {
  const size_t length = std::min(value.size(), kMaxText);
  u16(static_cast<uint16_t>(length));
  bytes_.insert(bytes_.end(), value.begin(), value.begin() + static_cast<long>(length));
  return *this;
}
Writer& Writer::address(const Address& value) {
  bytes_.insert(bytes_.end(), value.begin(), value.end());
  return *this;
}
// Ports are in network order already.
Writer& Writer::flow(const FlowKey& value) {
  u8(value.protocol).u8(0);
  const auto* ports = reinterpret_cast<const uint8_t*>(&value.localPort);
  bytes_.insert(bytes_.end(), ports, ports + 4);
  return address(value.local).address(value.remote);
}
const std::vector<uint8_t>& Writer::finish() {
  const auto length = static_cast<uint32_t>(bytes_.size() - kLengthBytes);
  for (size_t i = 0; i < kLengthBytes; i++) bytes_[i] = static_cast<uint8_t>(length >> (24 - 8 * i));
  return bytes_;
}

bool Reader::take(uint8_t* into, size_t count) {
  if (!good_ || left_ < count) return good_ = false;
  std::memcpy(into, at_, count);
  at_ += count;
  left_ -= count;
  return true;
}
uint64_t Reader::number(int bytes) {
  uint8_t parts[8] = {};
  if (!take(parts, static_cast<size_t>(bytes))) return 0;
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++) value = value << 8 | parts[i];
  return value;
}
std::string Reader::text() {
  std::string value(u16(), 0);
  if (!take(reinterpret_cast<uint8_t*>(value.data()), value.size())) value.clear();
  return value;
}
Address Reader::address() {
  Address value{};
  take(value.data(), value.size());
  return value;
}
FlowKey Reader::flow() {
  FlowKey value{};
  value.protocol = u8();
  u8();
  uint8_t ports[4] = {};
  take(ports, sizeof ports);
  std::memcpy(&value.localPort, ports, sizeof ports);
  value.local = address();
  value.remote = address();
  return value;
}

}  // namespace owners
