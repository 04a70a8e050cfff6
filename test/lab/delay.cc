// delay NAME MS: makes the TUN device NAME and gives every packet back to it MS milliseconds after it came.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

namespace {

// Packets on the way: 20 ms at 1 Gbit/s of full-size packets, ten times over; more are lost, as on a full line.
constexpr size_t kMaxPackets = 20000;

int64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

struct Packet {
  int64_t due;
  std::vector<char> bytes;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  // The line goes with the test that made it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int64_t delay = static_cast<int64_t>(std::atof(argv[2]) * 1e6);
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  ifreq device{};
  std::strncpy(device.ifr_name, argv[1], IFNAMSIZ - 1);
  device.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (fd < 0 || ioctl(fd, TUNSETIFF, &device) < 0) {
    std::perror("delay");
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);

  std::deque<Packet> line;
  char buffer[65536];
  for (;;) {
    pollfd item{fd, POLLIN, 0};
    timespec wait{};
    if (!line.empty()) {
      const int64_t left = line.front().due > now() ? line.front().due - now() : 0;
      wait = {left / 1'000'000'000, left % 1'000'000'000};
    }
    if (ppoll(&item, 1, line.empty() ? nullptr : &wait, nullptr) < 0) return 1;
    for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;)
      if (line.size() < kMaxPackets) line.push_back({now() + delay, {buffer, buffer + got}});
    for (; !line.empty() && line.front().due <= now(); line.pop_front()) {
      const ssize_t put = write(fd, line.front().bytes.data(), line.front().bytes.size());
      static_cast<void>(put);
    }
  }
}
