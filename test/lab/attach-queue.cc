// Tries to attach one more queue to the TUN device named by its argument, as a stranger would, and prints what came of it.
// With a second argument the device has one queue only.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  const int fd = open("/dev/net/tun", O_RDWR);
  ifreq device{};
  if (argc > 1) std::strncpy(device.ifr_name, argv[1], IFNAMSIZ - 1);
  device.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | (argc > 2 ? 0 : IFF_MULTI_QUEUE));
  std::puts(ioctl(fd, TUNSETIFF, &device) < 0 ? std::strerror(errno) : "attached");
}
