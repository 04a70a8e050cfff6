// The kernel programs: who made a socket, and whether its packets may pass our adapter.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "bpf.h"
#include "tables.h"

namespace owners {

// The one interface and network namespace that the programs are about; traffic of all others is none of their business.
struct Scope {
  uint32_t interface;
  uint64_t namespaceCookie;
  // A packet's namespace is looked at. Older kernels (before about 6.13) can't: there the interface and our own address must do.
  bool byNamespace = true;
};

// Programs attached beside those of others; they end with this object, or with this process.
class Programs {
 public:
  // Loads and attaches them at the root of the cgroup2 hierarchy. Empty, or one sentence that says what is missing.
  std::string attach(const Tables& tables, const Scope& scope);

 private:
  std::vector<Descriptor> links_;
};

// A filter for the adapter itself (TUNSETFILTEREBPF) that drops what no local socket sent, such as packets forwarded for a container.
Descriptor loadForwardFilter();

// The program texts; programs.cc attaches them.
std::vector<bpf_insn> socketMade(const Tables& tables, const Scope& scope);
std::vector<bpf_insn> socketReleased(const Tables& tables);
std::vector<bpf_insn> socketBound(const Tables& tables);
std::vector<bpf_insn> tcpChanged(const Tables& tables);
std::vector<bpf_insn> processExecuted(const Tables& tables);
std::vector<bpf_insn> packetOut(const Tables& tables, const Scope& scope);
std::vector<bpf_insn> packetIn(const Tables& tables, const Scope& scope);

}  // namespace owners
