// States the tables and events that the kernel programs share with this process, byte by byte, and opens the tables.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "bpf.h"

namespace owners {

using Address = std::array<uint8_t, 16>;

// A flow as seen from us. Ports in network order; ICMPv6 echo: the identifier as local port; other protocols: no ports.
struct FlowKey {
  uint8_t protocol, zero;
  uint16_t localPort, remotePort, zero2;
  Address local, remote;
  bool operator==(const FlowKey&) const = default;
};
static_assert(sizeof(FlowKey) == 40);

// What the kernel knew as a socket was made. `root` is the socket whose verdict counts: itself, or the listener that it came from.
struct SocketRecord {
  uint64_t root;
  uint64_t madeNs;  // CLOCK_BOOTTIME
  uint32_t tgid, tid, user, flags;
  char comm[16];
  uint64_t denied, undecided;  // packets
};
static_assert(sizeof(SocketRecord) == 64);

// Flags of a socket: closed by its program while TCP still sends; made by a listener; made before the programs were loaded.
enum SocketFlag : uint32_t { kReleased = 1, kAccepted = 2, kOlder = 4 };

enum class Out : uint8_t { undecided = 0, allow = 1, deny = 2 };
enum class In : uint8_t { none = 0, all = 1, ports = 2 };
struct SocketVerdict {
  Out out;
  In in;
  uint8_t zero[6];
};
static_assert(sizeof(SocketVerdict) == 8);

// A port, in host order, on which the socket `root` may be reached.
struct ReachKey {
  uint64_t root;
  uint32_t port;
  uint32_t zero;
};

// Packets of one socket that may wait for a verdict in the queue of the adapter; a program must not fill `sent`.
constexpr int kMaxUndecided = 64;
constexpr uint32_t kMaxSockets = 65'536;
constexpr uint32_t kMaxFlows = 131'072;
// More than an adapter has, for one that is just refused there.
constexpr uint32_t kMaxAddresses = 32;
constexpr uint32_t kRingBytes = 1 << 18;

enum class EventKind : uint32_t { made = 1, closed = 2, denied = 3, listens = 4 };
struct Event {
  EventKind kind;
  uint32_t port;  // `listens`: host order
  uint64_t cookie;
  union {
    SocketRecord socket;
    FlowKey flow;  // `denied`
  };
};
static_assert(sizeof(Event) == 80);

// None of them forgets by itself: an entry decides, and a local program must not be able to push another's out.
struct Tables {
  Map sockets;    // u64 cookie -> SocketRecord: every IPv6 socket of our network namespace
  Map verdicts;   // u64 cookie of the root -> SocketVerdict
  Map reach;      // ReachKey -> u32
  Map sent;       // FlowKey -> u64 cookie: flows that a local socket began
  Map met;        // FlowKey -> u64 cookie: flows that others began, and that were let in
  Map processes;  // u32 tgid -> u64 time of its last exec, ns; 0: none since its first socket
  Map addresses;  // Address -> u32: ours
  Map ring;       // Event
  // 0 or the errno with which the kernel refused one.
  int create();
};

}  // namespace owners
