// Preloaded: refuses the datapath add-on, and nobody else, what SHIPWORM_REFUSE names: getrandom, mmap, malloc, or an option that an older
// kernel lacks: uso6, udp-gso, udp-gro, reuse-port; and the helper: multi-queue.
#include <dlfcn.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cstdlib>
#include <cstring>

namespace {

// Larger than anything that the add-on takes besides its tables, rings and arena.
constexpr size_t kLarge = 64 << 10;

// The helper clears its environment.
const char* const wanted = getenv("SHIPWORM_REFUSE");

bool refused(const char* what, const void* caller, const char* whom = "shipworm.node") {
  if (!wanted || std::strcmp(wanted, what) != 0) return false;
  Dl_info info;
  return dladdr(caller, &info) && info.dli_fname && std::strstr(info.dli_fname, whom);
}

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" ssize_t getrandom(void* into, size_t length, unsigned flags) {
  if (refused("getrandom", __builtin_return_address(0))) {
    errno = ENOSYS;
    return -1;
  }
  return real<ssize_t(void*, size_t, unsigned)>("getrandom")(into, length, flags);
}

extern "C" void* mmap64(void* at, size_t length, int protection, int flags, int fd, off64_t offset) noexcept {
  if (length >= kLarge && refused("mmap", __builtin_return_address(0))) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return real<void*(void*, size_t, int, int, int, off64_t)>("mmap64")(at, length, protection, flags, fd, offset);
}

extern "C" void* __libc_malloc(size_t length);
extern "C" void* malloc(size_t length) noexcept {
  if (length >= kLarge && refused("malloc", __builtin_return_address(0))) {
    errno = ENOMEM;
    return nullptr;
  }
  return __libc_malloc(length);
}

extern "C" int setsockopt(int fd, int level, int name, const void* value, socklen_t length) noexcept {
  constexpr int kUdpSegment = 103, kUdpGro = 104;
  const char* option = level == SOL_SOCKET && name == SO_REUSEPORT  ? "reuse-port"
                       : level == IPPROTO_UDP && name == kUdpSegment ? "udp-gso"
                       : level == IPPROTO_UDP && name == kUdpGro     ? "udp-gro"
                                                                     : nullptr;
  if (option && refused(option, __builtin_return_address(0))) {
    errno = ENOPROTOOPT;
    return -1;
  }
  return real<int(int, int, int, const void*, socklen_t)>("setsockopt")(fd, level, name, value, length);
}

extern "C" int ioctl(int fd, unsigned long request, ...) noexcept {
  constexpr unsigned long kUso = 0x20 | 0x40;
  va_list arguments;
  va_start(arguments, request);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  if (request == TUNSETOFFLOAD && reinterpret_cast<unsigned long>(argument) & kUso && refused("uso6", __builtin_return_address(0))) {
    errno = EINVAL;
    return -1;
  }
  if (request == TUNSETIFF && static_cast<ifreq*>(argument)->ifr_flags & IFF_MULTI_QUEUE &&
      refused("multi-queue", __builtin_return_address(0), "shipworm-helper")) {
    errno = EINVAL;
    return -1;
  }
  return real<int(int, unsigned long, ...)>("ioctl")(fd, request, argument);
}
