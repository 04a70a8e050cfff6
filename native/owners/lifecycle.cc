// Texts of the programs that follow the life of sockets and processes.
#include <linux/bpf.h>
#include <sys/socket.h>

#include <cstddef>

#include "programs.h"

namespace owners {

namespace {

// Places in the frame. An event ends at the top, so that its socket is the last 64 bytes.
constexpr int16_t kEvent = -80;
constexpr int16_t kCookie = kEvent + static_cast<int16_t>(offsetof(Event, cookie));
constexpr int16_t kSocket = kEvent + static_cast<int16_t>(offsetof(Event, socket));
constexpr int16_t kKey = -88, kZero = -96, kFlow = -136;

constexpr int16_t field(size_t offset) { return static_cast<int16_t>(kSocket + static_cast<int16_t>(offset)); }
constexpr int16_t place(size_t offset) { return static_cast<int16_t>(offset); }

constexpr int kTcpClose = 7, kTcpListen = 10;

// Tells this process; lost when the ring is full, which costs time and never opens anything.
void tell(Assembler& a, const Tables& tables, EventKind kind) {
  a.storeValue(Size::word, R10, kEvent, static_cast<int32_t>(kind));
  a.setMap(R1, tables.ring);
  a.move(R2, R10);
  a.add(R2, kEvent);
  a.set(R3, sizeof(Event));
  a.set(R4, 0);
  a.call(BPF_FUNC_ringbuf_output);
}

// R7 = the socket's record, its cookie in the frame; jumps to `none` when it has none.
void findSocket(Assembler& a, const Tables& tables, const char* none) {
  a.move(R1, R6);
  a.call(BPF_FUNC_get_socket_cookie);
  a.store(Size::full, R10, kCookie, R0);
  a.find(tables.sockets, kCookie);
  a.ifEqual(R0, 0, none);
  a.move(R7, R0);
}

// Copies the record at R7 into the event.
void copySocket(Assembler& a) {
  for (int16_t at = 0; at < static_cast<int16_t>(sizeof(SocketRecord)); at = static_cast<int16_t>(at + 8)) {
    a.load(Size::full, R1, R7, at);
    a.store(Size::full, R10, static_cast<int16_t>(kSocket + at), R1);
  }
}

void clearEvent(Assembler& a) {
  for (int16_t at = kEvent; at < 0; at = static_cast<int16_t>(at + 8)) a.storeValue(Size::full, R10, at, 0);
}

void forget(Assembler& a, const Tables& tables) {
  copySocket(a);
  a.remove(tables.sockets, kCookie);
  tell(a, tables, EventKind::closed);
}

}  // namespace

// cgroup/sock_create: cookie -> process, user, time, comm.
std::vector<bpf_insn> socketMade(const Tables& tables, const Scope& scope) {
  Assembler a;
  a.move(R6, R1);
  a.load(Size::word, R1, R6, offsetof(bpf_sock, family));
  a.ifNot(R1, AF_INET6, "leave");
  a.move(R1, R6);
  a.call(BPF_FUNC_get_netns_cookie);
  a.set64(R1, scope.namespaceCookie);
  a.ifDiffer(R0, R1, "leave");
  clearEvent(a);
  a.move(R1, R6);
  a.call(BPF_FUNC_get_socket_cookie);
  a.store(Size::full, R10, kCookie, R0);
  a.store(Size::full, R10, field(offsetof(SocketRecord, root)), R0);
  a.call(BPF_FUNC_ktime_get_boot_ns);
  a.store(Size::full, R10, field(offsetof(SocketRecord, madeNs)), R0);
  a.call(BPF_FUNC_get_current_pid_tgid);
  a.store(Size::word, R10, field(offsetof(SocketRecord, tid)), R0);
  a.shiftRight(R0, 32);
  a.store(Size::word, R10, field(offsetof(SocketRecord, tgid)), R0);
  a.storeValue(Size::full, R10, kKey, 0);
  a.store(Size::word, R10, kKey, R0);
  a.call(BPF_FUNC_get_current_uid_gid);
  a.store(Size::word, R10, field(offsetof(SocketRecord, user)), R0);
  a.move(R1, R10);
  a.add(R1, field(offsetof(SocketRecord, comm)));
  a.set(R2, sizeof(SocketRecord::comm));
  a.call(BPF_FUNC_get_current_comm);
  // From here on an exec of this process is noted. No room for that: the socket stays unknown, and so closed.
  a.find(tables.processes, kKey);
  a.ifNot(R0, 0, "known");
  a.storeValue(Size::full, R10, kZero, 0);
  a.put(tables.processes, kKey, kZero, BPF_NOEXIST);
  a.find(tables.processes, kKey);
  a.ifEqual(R0, 0, "leave");
  a.label("known");
  a.put(tables.sockets, kCookie, kSocket, BPF_ANY);
  tell(a, tables, EventKind::made);
  a.label("leave");
  a.leave(1);
  return a.finish();
}

// cgroup/sock_release: the program closed it. TCP may still send what waits, so it is kept until its state is CLOSE.
std::vector<bpf_insn> socketReleased(const Tables& tables) {
  Assembler a;
  a.move(R6, R1);
  a.load(Size::word, R1, R6, offsetof(bpf_sock, family));
  a.ifNot(R1, AF_INET6, "leave");
  clearEvent(a);
  findSocket(a, tables, "leave");
  a.load(Size::word, R1, R6, offsetof(bpf_sock, type));
  a.ifNot(R1, SOCK_STREAM, "forget");
  a.load(Size::word, R1, R6, offsetof(bpf_sock, state));
  a.ifEqual(R1, kTcpClose, "forget");
  a.ifEqual(R1, kTcpListen, "forget");
  a.load(Size::word, R1, R7, place(offsetof(SocketRecord, flags)));
  a.bitOr(R1, kReleased);
  a.store(Size::word, R7, place(offsetof(SocketRecord, flags)), R1);
  a.jump("leave");
  a.label("forget");
  forget(a, tables);
  a.label("leave");
  a.leave(1);
  return a.finish();
}

// cgroup/post_bind6: a UDP socket that may wait for strangers.
std::vector<bpf_insn> socketBound(const Tables& tables) {
  Assembler a;
  a.move(R6, R1);
  a.load(Size::word, R1, R6, offsetof(bpf_sock, type));
  a.ifNot(R1, SOCK_DGRAM, "leave");
  clearEvent(a);
  findSocket(a, tables, "leave");
  copySocket(a);
  a.load(Size::word, R1, R6, offsetof(bpf_sock, src_port));
  a.store(Size::word, R10, kEvent + static_cast<int16_t>(offsetof(Event, port)), R1);
  tell(a, tables, EventKind::listens);
  a.label("leave");
  a.leave(1);
  return a.finish();
}

// cgroup/sock_ops: what a listener's children inherit, and the true end of a TCP socket.
std::vector<bpf_insn> tcpChanged(const Tables& tables) {
  Assembler a;
  a.move(R6, R1);
  a.load(Size::word, R1, R6, offsetof(bpf_sock_ops, family));
  a.ifNot(R1, AF_INET6, "leave");
  a.load(Size::word, R9, R6, offsetof(bpf_sock_ops, op));
  a.ifEqual(R9, BPF_SOCK_OPS_TCP_CONNECT_CB, "ours");
  a.ifEqual(R9, BPF_SOCK_OPS_TCP_LISTEN_CB, "ours");
  a.ifEqual(R9, BPF_SOCK_OPS_STATE_CB, "ours");
  a.ifEqual(R9, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, "accepted");
  a.jump("leave");

  a.label("ours");
  clearEvent(a);
  findSocket(a, tables, "leave");
  a.ifEqual(R9, BPF_SOCK_OPS_TCP_CONNECT_CB, "follow");
  a.ifEqual(R9, BPF_SOCK_OPS_TCP_LISTEN_CB, "listens");
  a.load(Size::word, R1, R6, offsetof(bpf_sock_ops, args) + 4);
  a.ifNot(R1, kTcpClose, "leave");
  a.load(Size::word, R1, R7, place(offsetof(SocketRecord, flags)));
  a.ifAny(R1, kReleased | kAccepted, "forget");
  a.jump("leave");
  a.label("forget");
  forget(a, tables);
  a.jump("leave");

  a.label("listens");
  copySocket(a);
  a.load(Size::word, R1, R6, offsetof(bpf_sock_ops, local_port));
  a.store(Size::word, R10, kEvent + static_cast<int16_t>(offsetof(Event, port)), R1);
  tell(a, tables, EventKind::listens);
  a.jump("leave");

  // The flow was let in for the listener; from here on it is its child's.
  a.label("accepted");
  clearEvent(a);
  a.storeValue(Size::full, R10, kFlow, 0);
  a.storeValue(Size::byte, R10, kFlow, 6);
  a.load(Size::word, R1, R6, offsetof(bpf_sock_ops, local_port));
  a.swap16(R1);
  a.store(Size::half, R10, kFlow + static_cast<int16_t>(offsetof(FlowKey, localPort)), R1);
  a.load(Size::word, R1, R6, offsetof(bpf_sock_ops, remote_port));
  if constexpr (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) a.shiftRight(R1, 16);
  a.store(Size::half, R10, kFlow + static_cast<int16_t>(offsetof(FlowKey, remotePort)), R1);
  for (int word = 0; word < 4; word++) {
    a.load(Size::word, R1, R6, place(offsetof(bpf_sock_ops, local_ip6) + 4 * static_cast<size_t>(word)));
    a.store(Size::word, R10, static_cast<int16_t>(kFlow + static_cast<int>(offsetof(FlowKey, local)) + 4 * word), R1);
    a.load(Size::word, R1, R6, place(offsetof(bpf_sock_ops, remote_ip6) + 4 * static_cast<size_t>(word)));
    a.store(Size::word, R10, static_cast<int16_t>(kFlow + static_cast<int>(offsetof(FlowKey, remote)) + 4 * word), R1);
  }
  a.find(tables.met, kFlow);
  a.ifEqual(R0, 0, "leave");
  a.load(Size::full, R1, R0, 0);
  a.store(Size::full, R10, kKey, R1);
  a.find(tables.sockets, kKey);
  a.ifEqual(R0, 0, "leave");
  a.move(R7, R0);
  copySocket(a);
  a.storeValue(Size::full, R10, field(offsetof(SocketRecord, denied)), 0);
  a.storeValue(Size::full, R10, field(offsetof(SocketRecord, undecided)), 0);
  a.load(Size::word, R1, R7, place(offsetof(SocketRecord, flags)));
  a.bitOr(R1, kAccepted);
  a.store(Size::word, R10, field(offsetof(SocketRecord, flags)), R1);
  a.move(R1, R6);
  a.call(BPF_FUNC_get_socket_cookie);
  a.store(Size::full, R10, kCookie, R0);
  a.put(tables.sockets, kCookie, kSocket, BPF_ANY);
  a.ifNot(R0, 0, "leave");
  a.put(tables.met, kFlow, kCookie, BPF_ANY);
  tell(a, tables, EventKind::made);

  // Ask to be called as its state changes; what others asked for stays.
  a.label("follow");
  a.load(Size::word, R2, R6, offsetof(bpf_sock_ops, bpf_sock_ops_cb_flags));
  a.bitOr(R2, BPF_SOCK_OPS_STATE_CB_FLAG);
  a.move(R1, R6);
  a.call(BPF_FUNC_sock_ops_cb_flags_set);
  a.label("leave");
  a.leave(1);
  return a.finish();
}

// sched_process_exec: what a process was before is not what it is now.
std::vector<bpf_insn> processExecuted(const Tables& tables) {
  Assembler a;
  a.call(BPF_FUNC_get_current_pid_tgid);
  a.shiftRight(R0, 32);
  a.storeValue(Size::full, R10, kKey, 0);
  a.store(Size::word, R10, kKey, R0);
  a.find(tables.processes, kKey);
  a.ifEqual(R0, 0, "leave");
  a.move(R6, R0);
  a.call(BPF_FUNC_ktime_get_boot_ns);
  a.store(Size::full, R6, 0, R0);
  a.label("leave");
  a.leave(0);
  return a.finish();
}

}  // namespace owners
