// Parses requests and builds replies; every bound that an argument has is checked here.
#include "protocol.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace helper {

namespace {

uint32_t read32(const uint8_t* at) { return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3]; }
uint16_t read16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }

void write32(std::vector<uint8_t>& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(value >> shift));
}

bool zero(const uint8_t* from, size_t count) {
  return std::all_of(from, from + count, [](uint8_t byte) { return byte == 0; });
}

// The names `all` and `default` are directories of /proc/sys/net/ipv6/conf that rule every interface.
bool goodName(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  };
  return !name.empty() && name.size() < kNameBytes && std::all_of(name.begin(), name.end(), allowed) && name != "." &&
         name != ".." && name != "all" && name != "default";
}

// name[16], padded with 0.
Answer parseName(const uint8_t* body, std::string& name) {
  const auto* text = reinterpret_cast<const char*>(body);
  const size_t length = strnlen(text, kNameBytes);
  name.assign(text, length);
  if (length == kNameBytes || !zero(body + length, kNameBytes - length) || !goodName(name))
    return {Status::badName, 0,
            "An interface's name has 1 to 15 letters, digits, dots, dashes or underscores, and is not \"all\" or \"default\"."};
  return {};
}

Answer parseOpen(const uint8_t* body, Request& request) {
  if (const Answer answer = parseName(body, request.name); answer.status != Status::ok) return answer;
  request.mtu = read16(body + kNameBytes);
  request.queues = body[kNameBytes + 2];
  if (request.mtu < kMinMtu || request.mtu > kMaxMtu) return {Status::badArgument, 0, "The MTU must be 1280 to 1500."};
  if (request.queues < 1 || request.queues > kMaxQueues) return {Status::badArgument, 0, "An adapter has 1 to 8 queues."};
  if (body[kNameBytes + 3] & ~kVnetHeaderFlag) return {Status::badArgument, 0, "This helper knows one adapter flag, 1."};
  request.vnetHeader = body[kNameBytes + 3] & kVnetHeaderFlag;
  return {};
}

// Only Teredo addresses (RFC 4380 §4), and not the anycast address of a whole /32 or /96 of them.
Answer parseAddress(const uint8_t* body, Request& request) {
  std::copy_n(body, request.address.size(), request.address.begin());
  constexpr uint8_t kPrefix[] = {0x20, 0x01, 0, 0};
  if (std::memcmp(body, kPrefix, sizeof kPrefix) != 0 || zero(body + 4, 12))
    return {Status::badAddress, 0, "Only addresses in 2001::/32 may be put on the adapter."};
  return {};
}

// u8 0 or 1, then three zero bytes.
Answer parseSwitch(const uint8_t* body, Request& request) {
  if (body[0] > 1 || !zero(body + 1, 3)) return {Status::badArgument, 0, "A switch is 0 or 1."};
  request.on = body[0] == 1;
  return {};
}

// u8 role, then three zero bytes.
Answer parseRole(const uint8_t* body, Request& request) {
  if ((body[0] != static_cast<uint8_t>(Role::server) && body[0] != static_cast<uint8_t>(Role::relay)) || !zero(body + 1, 3))
    return {Status::badArgument, 0, "The helper doesn't know this role."};
  request.role = static_cast<Role>(body[0]);
  return {};
}

// name[16], u8 forward, then three zero bytes.
Answer parseRelay(const uint8_t* body, Request& request) {
  if (body[kNameBytes] > static_cast<uint8_t>(Forward::every) || !zero(body + kNameBytes + 1, 3))
    return {Status::badArgument, 0, "The helper doesn't know this way of forwarding."};
  request.forward = static_cast<Forward>(body[kNameBytes]);
  return parseName(body, request.native);
}

}  // namespace

Answer parseRequest(const uint8_t* bytes, size_t length, Request& request) {
  if (length < kHeadBytes || length > kMaxRequest || read32(bytes) != kMagic)
    return {Status::badFrame, 0, "This is no frame of Shipworm's."};
  request.command = static_cast<Command>(read16(bytes + 6));
  if (read16(bytes + 4) != kVersion)
    return {Status::badVersion, 0, "The helper is of another version than Shipworm; install both anew."};
  const uint8_t* body = bytes + kHeadBytes;
  const size_t size = length - kHeadBytes;
  if (read32(bytes + 8) != size) return {Status::badFrame, 0, "The frame's length is not what its head says."};
  const Answer wrongSize{Status::badFrame, 0, "The frame is too long or too short for its command."};
  switch (request.command) {
    case Command::hello:
      if (size == 4) return parseRole(body, request);
      return size == 0 ? Answer{} : wrongSize;
    case Command::openRaw6:
    case Command::growBuffers:
      return size == 0 ? Answer{} : wrongSize;
    case Command::startRelay:
      return size == kNameBytes + 4 ? parseRelay(body, request) : wrongSize;
    case Command::openAdapter:
      return size == kNameBytes + 4 ? parseOpen(body, request) : wrongSize;
    case Command::setAddress: {
      if (size != 20) return wrongSize;
      const Answer answer = parseAddress(body, request);
      return answer.status == Status::ok ? parseSwitch(body + 16, request) : answer;
    }
    case Command::removeAddress:
      return size == 16 ? parseAddress(body, request) : wrongSize;
    case Command::defaultRoute:
    case Command::openOwners:
      return size == 4 ? parseSwitch(body, request) : wrongSize;
  }
  return {Status::badCommand, 0, "The helper doesn't know this command."};
}

std::vector<uint8_t> buildReply(uint16_t command, const Answer& answer) {
  std::vector<uint8_t> bytes;
  write32(bytes, kMagic);
  write32(bytes, uint32_t{kVersion} << 16 | command);
  write32(bytes, static_cast<uint32_t>(8 + answer.text.size()));
  write32(bytes, static_cast<uint32_t>(answer.status));
  write32(bytes, answer.index);
  bytes.insert(bytes.end(), answer.text.begin(), answer.text.end());
  return bytes;
}

}  // namespace helper
