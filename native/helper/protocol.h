// States the frames between client and helper: one SEQPACKET message each, numbers big-endian; engine/host/helper-protocol.ts is the other side.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace helper {

// Head of every frame: u32 magic, u16 version, u16 command, u32 length of what follows.
constexpr uint32_t kMagic = 0x53575048;  // "SWPH"
constexpr uint16_t kVersion = 1;
constexpr size_t kHeadBytes = 12;
// Longer than any request; a longer message is refused, not read on.
constexpr size_t kMaxRequest = 64;

enum class Command : uint16_t {
  hello = 1,          // nothing for the role `adapter`, else u8 role, 0[3]
  openAdapter = 2,    // name[16] padded with 0, u16 mtu, u8 queues, u8 flags (kVnetHeaderFlag or 0)
  setAddress = 3,     // address[16], u8 preferred, 0[3]
  removeAddress = 4,  // address[16]
  defaultRoute = 5,   // u8 on, 0[3]
  openRaw6 = 6,       // nothing; the answer brings one descriptor
  growBuffers = 7,    // nothing; one to `kMaxSockets` descriptors of UDP sockets come with it
  startRelay = 20,    // native interface[16] padded with 0, u8 forward, 0[3]
  openOwners = 30,    // u8 flags (1: without programs in the kernel), 0[3]; the answer brings one descriptor
};

// What a connection is for. It has one role, and no other role's commands.
enum class Role : uint8_t {
  adapter = 1,  // one network adapter: a client
  server = 2,   // one raw IPv6 socket, for the pings of a server's clients (RFC 4380 §5.3.1)
  relay = 3,    // one network adapter without an address, and forwarding between it and one other interface
};

// Between which interfaces packets are forwarded for a relay.
enum class Forward : uint8_t {
  none = 0,   // a relay for its own host alone
  two = 1,    // the adapter and the named one; `unsupported` before Linux 6.17
  every = 2,  // all of them
};

// A reply's body: u32 status, u32 interface index (0 where there is none), then a sentence when status is not `ok`.
enum class Status : uint32_t {
  ok = 0,
  badFrame = 1,
  badVersion = 2,
  badCommand = 3,
  badOrder = 4,
  badArgument = 5,
  badName = 6,
  badAddress = 7,
  busy = 8,
  noTun = 9,
  system = 10,
  unsupported = 11,
  policy = 12,  // the machine policy forbids it
};

constexpr size_t kNameBytes = 16;
constexpr unsigned kMaxQueues = 8;
// One for each queue.
constexpr unsigned kMaxSockets = kMaxQueues;
// Each packet of the adapter carries a virtio_net_hdr, so that its user can switch offloads on.
constexpr uint8_t kVnetHeaderFlag = 1;
// IPv6 needs 1280 (RFC 8200 §5); an Ethernet path carries no more than 1500.
constexpr unsigned kMinMtu = 1280;
constexpr unsigned kMaxMtu = 1500;

using Address = std::array<uint8_t, 16>;

struct Request {
  Command command{};
  Role role = Role::adapter;
  std::string name;
  unsigned mtu = 0;
  unsigned queues = 0;
  bool vnetHeader = false;
  Address address{};
  bool on = false;  // preferred, or default route on
  std::string native;
  Forward forward = Forward::none;
};

struct Answer {
  Status status = Status::ok;
  uint32_t index = 0;
  std::string text;
};

// Reads one frame of any bytes. Not `ok`: why it is refused; `command` is then what the frame names, if it has a head.
Answer parseRequest(const uint8_t* bytes, size_t length, Request& request);

std::vector<uint8_t> buildReply(uint16_t command, const Answer& answer);

}  // namespace helper
