// Opens the tables, loads the programs and attaches them.
#include "programs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

namespace owners {

namespace {

// Where the cgroup2 hierarchy is mounted: "" when it is not. mountinfo (proc(5)): the 5th word is the place, the word after "-" the kind.
std::string cgroupMount() {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const size_t dash = line.find(" - cgroup2 ");
    if (dash == std::string::npos) continue;
    std::istringstream words(line.substr(0, dash));
    std::string word, root, place;
    words >> word >> word >> word >> root >> place;
    if (root == "/") return place;
  }
  return "";
}

// The root of the hierarchy. Where it is mounted nowhere in sight (`ip netns exec` hides it), a mount of our own that has no place.
Descriptor openCgroups() {
  const std::string place = cgroupMount();
  if (!place.empty()) return Descriptor(open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Descriptor kind(static_cast<int>(syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC)));
  if (!kind.valid() || syscall(SYS_fsconfig, kind.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) return Descriptor();
  return Descriptor(static_cast<int>(syscall(SYS_fsmount, kind.get(), FSMOUNT_CLOEXEC, 0)));
}

}  // namespace

int Tables::create() {
  const auto hash = [](Map& map, uint32_t key, uint32_t value, uint32_t entries) {
    return map.create(BPF_MAP_TYPE_HASH, key, value, entries, BPF_F_NO_PREALLOC);
  };
  int error = hash(sockets, sizeof(uint64_t), sizeof(SocketRecord), kMaxSockets);
  if (!error) error = hash(verdicts, sizeof(uint64_t), sizeof(SocketVerdict), kMaxSockets);
  if (!error) error = hash(reach, sizeof(ReachKey), sizeof(uint32_t), kMaxSockets);
  if (!error) error = hash(sent, sizeof(FlowKey), sizeof(uint64_t), kMaxFlows);
  if (!error) error = hash(met, sizeof(FlowKey), sizeof(uint64_t), kMaxFlows);
  if (!error) error = hash(addresses, sizeof(Address), sizeof(uint32_t), kMaxAddresses);
  // Programs of the tracing kind take only tables whose memory is there already.
  if (!error) error = processes.create(BPF_MAP_TYPE_HASH, sizeof(uint32_t), sizeof(uint64_t), kMaxSockets);
  if (!error) error = ring.create(BPF_MAP_TYPE_RINGBUF, 0, 0, kRingBytes);
  return error;
}

std::string Programs::attach(const Tables& tables, const Scope& scope) {
  const Descriptor cgroup = openCgroups();
  if (!cgroup.valid()) return std::string("there is no cgroup2 hierarchy (") + std::strerror(errno) + ")";
  struct Part {
    const char* name;
    bpf_prog_type type;
    uint32_t attachType;
    std::vector<bpf_insn> code;
  };
  Scope packets = scope;
  if (!loadProgram(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, packetOut(tables, packets), "sw_out").valid()) packets.byNamespace = false;
  // The sockets are known before their packets are judged.
  const Part parts[] = {
      {"sw_made", BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE, socketMade(tables, scope)},
      {"sw_released", BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_RELEASE, socketReleased(tables)},
      {"sw_bound", BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET6_POST_BIND, socketBound(tables)},
      {"sw_tcp", BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, tcpChanged(tables)},
      {"sw_in", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS, packetIn(tables, packets)},
      {"sw_out", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, packetOut(tables, packets)},
  };
  const Descriptor exec = loadProgram(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, processExecuted(tables), "sw_exec");
  if (!exec.valid()) return std::string("the kernel took no program for exec (") + std::strerror(errno) + ")";
  links_.push_back(attachToTracepoint(exec.get(), "sched_process_exec"));
  if (!links_.back().valid()) return std::string("the kernel attached no program for exec (") + std::strerror(errno) + ")";
  for (const Part& part : parts) {
    const Descriptor program = loadProgram(part.type, part.attachType, part.code, part.name);
    if (!program.valid()) return std::string("the kernel took no program ") + part.name + " (" + std::strerror(errno) + ")";
    links_.push_back(attachToCgroup(cgroup.get(), program.get(), part.attachType));
    if (!links_.back().valid()) return std::string("the kernel attached no program ") + part.name + " (" + std::strerror(errno) + ")";
  }
  return "";
}

Descriptor loadForwardFilter() {
  Assembler a;
  a.move(R6, R1);
  a.call(BPF_FUNC_get_socket_cookie);
  a.ifEqual(R0, 0, "drop");
  a.load(Size::word, R0, R6, offsetof(__sk_buff, len));
  a.jump("end");
  a.label("drop");
  a.set(R0, 0);
  a.label("end");
  a.exit();
  return loadProgram(BPF_PROG_TYPE_SOCKET_FILTER, 0, a.finish(), "sw_forward");
}

}  // namespace owners
