// Gives up privileges in the order in which the kernel allows it.
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace helper {

namespace {

// The overflow id: no file of the system belongs to it.
constexpr uid_t kNobody = 65534;

constexpr uint64_t bit(int capability) { return uint64_t{1} << capability; }

// linux/capability.h of older systems doesn't name them.
constexpr int kCapPerfmon = 38, kCapBpf = 39;
// To load programs and mark files for fanotify(7); to read other users' processes.
constexpr uint64_t kToLoad = bit(kCapBpf) | bit(kCapPerfmon) | bit(CAP_SYS_ADMIN);
constexpr uint64_t kToLook = bit(CAP_SYS_PTRACE) | bit(CAP_DAC_READ_SEARCH);

bool setCapabilities(uint64_t kept) {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  for (int word = 0; word < 2; word++) data[word].effective = data[word].permitted = static_cast<uint32_t>(kept >> (32 * word));
  return syscall(SYS_capset, &head, data) == 0;
}

// Of `wanted`, what this process may have: a container may lack some, and then goes without what needs it.
uint64_t available(uint64_t wanted) {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (syscall(SYS_capget, &head, data) < 0) return 0;
  return wanted & (uint64_t{data[1].permitted} << 32 | data[0].permitted);
}

bool dropBoundingSet() {
  for (int capability = 0; capability < 64; capability++) {
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) < 0) return true;  // past the last one
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) return false;
  }
  return true;
}

bool closeRange(unsigned from, unsigned to) {
#ifdef SYS_close_range
  return syscall(SYS_close_range, from, to, 0) == 0;
#else
  static_cast<void>(from), static_cast<void>(to);
  return false;
#endif
}

}  // namespace

bool confine(Keep keep) {
  umask(077);
  const rlimit noCore{0, 0};
  if (chdir("/") < 0 || setrlimit(RLIMIT_CORE, &noCore) < 0) return false;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return false;
  if (keep == Keep::daemon)
    return setCapabilities(bit(CAP_NET_ADMIN) | bit(CAP_NET_RAW) | bit(CAP_SETUID) | bit(CAP_SETGID) | bit(CAP_SETPCAP) |
                           available(kToLoad | kToLook)) &&
           prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
  // NO_SETUID_FIXUP keeps the capabilities over setresuid; locked, nothing gives root its powers back.
  constexpr unsigned long kSecure = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
                                    SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  return dropBoundingSet() && prctl(PR_SET_SECUREBITS, kSecure, 0, 0, 0) == 0 && setgroups(0, nullptr) == 0 &&
         setresgid(kNobody, kNobody, kNobody) == 0 && setresuid(kNobody, kNobody, kNobody) == 0 &&
         setCapabilities(keep == Keep::owners ? available(kToLook) : bit(CAP_NET_ADMIN)) && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

bool dropCapabilities() { return setCapabilities(0); }

bool detach() {
  signal(SIGINT, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  if (setsid() < 0 && errno != EPERM) return false;  // EPERM: it leads a group already
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return false;
  for (int fd = 0; fd <= 2; fd++)
    if (dup2(null, fd) < 0) return false;
  if (null > 2) close(null);
  return true;
}

void closeOthers(std::initializer_list<int> kept) {
  unsigned from = 3;
  for (const int fd : kept) {
    if (fd < 3) continue;
    const auto to = static_cast<unsigned>(fd);
    if (to > from && !closeRange(from, to - 1))
      for (unsigned other = from; other < to; other++) close(static_cast<int>(other));
    from = to + 1;
  }
  if (closeRange(from, ~0U)) return;
  // Kernels before 5.9.
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const auto last = static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, 65536));
  for (unsigned fd = from; fd < last; fd++) close(static_cast<int>(fd));
}

}  // namespace helper
