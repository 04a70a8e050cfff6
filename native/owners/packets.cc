// Texts of the programs that let the packets of a socket pass our adapter or not.
#include <linux/bpf.h>

#include <cstddef>

#include "programs.h"

namespace owners {

namespace {

// Places in the frame.
constexpr int16_t kFlow = -40, kCookie = -48, kRoot = -56, kMayIn = -64, kReach = -80, kEvent = -160, kHead = -208;
constexpr int16_t in(int16_t base, size_t offset) { return static_cast<int16_t>(base + static_cast<int16_t>(offset)); }
constexpr int16_t kProtocol = kFlow, kLocalPort = in(kFlow, offsetof(FlowKey, localPort)),
                  kRemotePort = in(kFlow, offsetof(FlowKey, remotePort)), kLocal = in(kFlow, offsetof(FlowKey, local)),
                  kRemote = in(kFlow, offsetof(FlowKey, remote));

// IPv6 header and what follows it: the ports, or an echo's identifier.
constexpr size_t kNextHeaderAt = 6, kSourceAt = 8, kDestinationAt = 24, kUpperAt = 40, kHeadBytes = 48;
constexpr size_t kIdentifierAt = kUpperAt + 4;
constexpr int kTcp = 6, kUdp = 17, kIcmp6 = 58, kEchoRequest = 128, kEchoReply = 129;

// Of cgroup_skb/egress: drop it, and tell the sender of a congestion instead of EPERM.
constexpr int kLose = 2;

enum class Way { out, in };

// R0 = 0 when the packet has as many bytes; they are at kHead then.
void loadHead(Assembler& a, size_t length) {
  a.move(R1, R6);
  a.set(R2, 0);
  a.move(R3, R10);
  a.add(R3, kHead);
  a.set(R4, static_cast<int32_t>(length));
  a.call(BPF_FUNC_skb_load_bytes);
}

void copyAddress(Assembler& a, size_t from, int16_t to) {
  for (size_t at = 0; at < sizeof(Address); at += 8) {
    a.load(Size::full, R1, R10, in(kHead, from + at));
    a.store(Size::full, R10, in(to, at), R1);
  }
}

void copyHalf(Assembler& a, size_t from, int16_t to) {
  a.load(Size::half, R1, R10, in(kHead, from));
  a.store(Size::half, R10, to, R1);
}

// Passes what is not about our interface in our namespace; else fills the flow's key and the cookie. R7 = the socket's record, or null.
void readFlow(Assembler& a, const Tables& tables, const Scope& scope, Way way) {
  const bool out = way == Way::out;
  a.move(R6, R1);
  a.load(Size::word, R1, R6, offsetof(__sk_buff, ifindex));
  a.ifNot(R1, static_cast<int32_t>(scope.interface), "pass");
  if (scope.byNamespace) {
    a.move(R1, R6);
    a.call(BPF_FUNC_get_netns_cookie);
    a.set64(R1, scope.namespaceCookie);
    a.ifDiffer(R0, R1, "pass");
  }
  a.storeValue(Size::full, R10, kFlow, 0);
  loadHead(a, kHeadBytes);
  a.move(R7, R0);
  a.ifEqual(R7, 0, "long enough");
  loadHead(a, kUpperAt);
  a.ifNot(R0, 0, "drop");
  a.label("long enough");
  copyAddress(a, kSourceAt, out ? kLocal : kRemote);
  copyAddress(a, kDestinationAt, out ? kRemote : kLocal);
  a.load(Size::byte, R1, R10, in(kHead, kNextHeaderAt));
  a.store(Size::byte, R10, kProtocol, R1);
  a.ifEqual(R1, kTcp, "ports");
  a.ifEqual(R1, kUdp, "ports");
  a.ifNot(R1, kIcmp6, "keyed");
  a.ifNot(R7, 0, "keyed");
  a.load(Size::byte, R1, R10, in(kHead, kUpperAt));
  a.ifEqual(R1, kEchoRequest, "echo");
  a.ifNot(R1, kEchoReply, "keyed");
  a.label("echo");
  copyHalf(a, kIdentifierAt, kLocalPort);
  a.jump("keyed");
  // Both have headers of eight bytes at least.
  a.label("ports");
  a.ifNot(R7, 0, "drop");
  copyHalf(a, kUpperAt, out ? kLocalPort : kRemotePort);
  copyHalf(a, kUpperAt + 2, out ? kRemotePort : kLocalPort);
  a.label("keyed");
  a.move(R1, R6);
  a.call(BPF_FUNC_get_socket_cookie);
  a.move(R8, R0);
  a.store(Size::full, R10, kCookie, R8);
  a.find(tables.sockets, kCookie);
  a.move(R7, R0);
}

// R9 = what it may do outwards; 0 without a verdict. What may come in is at kMayIn.
void readVerdict(Assembler& a, const Tables& tables, const char* undecided) {
  a.load(Size::full, R1, R7, offsetof(SocketRecord, root));
  a.store(Size::full, R10, kRoot, R1);
  a.find(tables.verdicts, kRoot);
  a.ifEqual(R0, 0, undecided);
  a.load(Size::byte, R9, R0, offsetof(SocketVerdict, out));
  a.load(Size::byte, R1, R0, offsetof(SocketVerdict, in));
  a.store(Size::full, R10, kMayIn, R1);
}

// Goes on when strangers may reach the socket on the flow's local port, else jumps to `no`.
void mayBeReached(Assembler& a, const Tables& tables, const char* no) {
  a.load(Size::full, R1, R10, kMayIn);
  a.ifEqual(R1, static_cast<int32_t>(In::all), "reached");
  a.ifNot(R1, static_cast<int32_t>(In::ports), no);
  a.load(Size::full, R1, R10, kRoot);
  a.store(Size::full, R10, kReach, R1);
  a.storeValue(Size::full, R10, in(kReach, offsetof(ReachKey, port)), 0);
  a.load(Size::half, R1, R10, kLocalPort);
  a.swap16(R1);
  a.store(Size::word, R10, in(kReach, offsetof(ReachKey, port)), R1);
  a.find(tables.reach, kReach);
  a.ifEqual(R0, 0, no);
  a.label("reached");
}

// Jumps by whose the flow is in `map`: this socket's, another's; goes on when it is nobody's.
void whose(Assembler& a, const Map& map, const char* mine, const char* others) {
  const std::string nobody = a.fresh();
  a.find(map, kFlow);
  a.ifEqual(R0, 0, nobody);
  a.load(Size::full, R1, R0, 0);
  a.ifSame(R1, R8, mine);
  a.jump(others);
  a.label(nobody);
}

// Nearly every packet: of a flow that an allowed socket began. Of what is left, passes what is from or to no address of ours.
void passKnown(Assembler& a, const Tables& tables) {
  a.ifEqual(R7, 0, "unknown");
  readVerdict(a, tables, "unknown");
  a.ifNot(R9, static_cast<int32_t>(Out::allow), "unknown");
  whose(a, tables.sent, "pass", "unknown");
  a.label("unknown");
  a.find(tables.addresses, kLocal);
  a.ifEqual(R0, 0, "pass");
}

void count(Assembler& a, size_t of) {
  a.set(R1, 1);
  a.addTo(R7, static_cast<int16_t>(of), R1);
}

void end(Assembler& a) {
  a.label("pass");
  a.leave(1);
  a.label("drop");
  a.leave(0);
}

}  // namespace

// cgroup_skb/egress: every packet that a local socket sends, before it is cut into fragments.
std::vector<bpf_insn> packetOut(const Tables& tables, const Scope& scope) {
  Assembler a;
  readFlow(a, tables, scope, Way::out);
  passKnown(a, tables);
  a.ifEqual(R7, 0, "ask");
  readVerdict(a, tables, "undecided");
  a.ifEqual(R9, static_cast<int32_t>(Out::allow), "allowed");
  // What may be reached may answer.
  mayBeReached(a, tables, "not met");
  whose(a, tables.met, "pass", "not met");
  a.label("not met");
  a.ifEqual(R9, static_cast<int32_t>(Out::deny), "denied");

  // No verdict yet: into the adapter's queue, where the engine finds out. With a flow that was passed for another socket it
  // would hit that flow's entry in the engine's table instead.
  a.label("undecided");
  count(a, offsetof(SocketRecord, undecided));
  a.load(Size::full, R1, R7, offsetof(SocketRecord, undecided));
  a.ifAbove(R1, kMaxUndecided, "drop");
  a.label("ask");
  whose(a, tables.met, "pass", "taken");
  whose(a, tables.sent, "pass", "taken");
  a.put(tables.sent, kFlow, kCookie, BPF_NOEXIST);
  a.ifNot(R0, 0, "drop");
  a.jump("pass");

  // By the cookie in R1. Of a socket that is gone the flow is free in a moment: that is no refusal, and its program sends again.
  a.label("taken");
  a.store(Size::full, R10, kRoot, R1);
  a.find(tables.sockets, kRoot);
  a.ifNot(R0, 0, "drop");
  a.leave(kLose);

  // A full table costs the flow its entry: the engine then finds nobody who sent it.
  a.label("allowed");
  whose(a, tables.sent, "pass", "record");
  a.label("record");
  a.put(tables.sent, kFlow, kCookie, BPF_ANY);
  a.jump("pass");

  // Tells the 1st, 2nd, 4th, 8th ... packet.
  a.label("denied");
  count(a, offsetof(SocketRecord, denied));
  a.load(Size::full, R1, R7, offsetof(SocketRecord, denied));
  a.move(R2, R1);
  a.add(R2, -1);
  a.bitAnd(R2, R1);
  a.ifNot(R2, 0, "refuse");
  a.storeValue(Size::word, R10, in(kEvent, offsetof(Event, kind)), static_cast<int32_t>(EventKind::denied));
  a.store(Size::word, R10, in(kEvent, offsetof(Event, port)), R1);
  a.load(Size::full, R1, R10, kRoot);
  a.store(Size::full, R10, in(kEvent, offsetof(Event, cookie)), R1);
  for (int16_t at = 0; at < static_cast<int16_t>(sizeof(SocketRecord)); at = static_cast<int16_t>(at + 8)) {
    if (at < static_cast<int16_t>(sizeof(FlowKey))) {
      a.load(Size::full, R1, R10, static_cast<int16_t>(kFlow + at));
      a.store(Size::full, R10, static_cast<int16_t>(in(kEvent, offsetof(Event, flow)) + at), R1);
    } else {
      a.storeValue(Size::full, R10, static_cast<int16_t>(in(kEvent, offsetof(Event, flow)) + at), 0);
    }
  }
  a.setMap(R1, tables.ring);
  a.move(R2, R10);
  a.add(R2, kEvent);
  a.set(R3, sizeof(Event));
  a.set(R4, 0);
  a.call(BPF_FUNC_ringbuf_output);
  a.label("refuse");
  a.load(Size::byte, R1, R10, kProtocol);
  a.ifEqual(R1, kTcp, "ask");
  a.jump("drop");
  end(a);
  return a.finish();
}

// cgroup_skb/ingress: every packet as it is given to the socket that the kernel chose.
std::vector<bpf_insn> packetIn(const Tables& tables, const Scope& scope) {
  Assembler a;
  readFlow(a, tables, scope, Way::in);
  passKnown(a, tables);
  a.ifEqual(R7, 0, "drop");
  readVerdict(a, tables, "drop");
  mayBeReached(a, tables, "drop");
  whose(a, tables.met, "pass", "record");
  a.label("record");
  a.put(tables.met, kFlow, kCookie, BPF_ANY);
  a.ifNot(R0, 0, "drop");
  end(a);
  return a.finish();
}

}  // namespace owners
