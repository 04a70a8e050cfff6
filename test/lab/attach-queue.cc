// Tries to attach one more queue to the TUN device named by its argument, as a stranger would, and prints what came of it.
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
  if (argc == 2) std::strncpy(device.ifr_name, argv[1], IFNAMSIZ - 1);
  device.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE;
  std::puts(ioctl(fd, TUNSETIFF, &device) < 0 ? std::strerror(errno) : "attached");
}
