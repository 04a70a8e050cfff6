// Sends UDP datagrams through one UDP_SEGMENT call after another, or counts those that arrive whole: udp-segments send|receive ADDRESS PORT BYTES COUNT
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

// Every byte of datagram `number` tells its place, so that a mixed-up one is seen.
static uint8_t expected(uint32_t number, size_t i) { return static_cast<uint8_t>(number * 31 + i * 7 + (i >> 8)); }

static void fill(uint8_t* bytes, size_t length, uint32_t number) {
  for (size_t i = 4; i < length; i++) bytes[i] = expected(number, i);
  std::memcpy(bytes, &number, sizeof number);
}

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  inet_pton(AF_INET6, argv[2], &address.sin6_addr);
  address.sin6_port = htons(static_cast<uint16_t>(std::atoi(argv[3])));
  const auto length = static_cast<size_t>(std::atoi(argv[4]));
  const auto count = static_cast<uint32_t>(std::atoi(argv[5]));
  const int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  if (argv[1] == std::string_view("send")) {
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) return 1;
    const int segment = static_cast<int>(length);
    if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) < 0) return 1;
    for (uint32_t number = 0; number < count;) {
      const uint32_t batch = std::min<uint32_t>(20, count - number);
      std::vector<uint8_t> bytes(batch * length);
      for (uint32_t i = 0; i < batch; i++) fill(bytes.data() + i * length, length, number++);
      // The last datagram of each call is cut short by one byte.
      if (send(fd, bytes.data(), bytes.size() - 1, 0) < 0) std::perror("send");
      usleep(1000);
    }
    return 0;
  }
  const int buffer = 4 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) return 1;
  std::puts("ready");
  std::fflush(stdout);
  uint32_t whole = 0, wrong = 0, last = 0, turned = 0;
  std::vector<uint8_t> bytes(65536);
  pollfd item{fd, POLLIN, 0};
  while (whole + wrong < count && poll(&item, 1, 3000) > 0) {
    const ssize_t got = recv(fd, bytes.data(), bytes.size(), 0);
    uint32_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof number);
    bool good = got == static_cast<ssize_t>(length) || got == static_cast<ssize_t>(length) - 1;
    for (size_t i = 4; good && i < static_cast<size_t>(got); i++) good = bytes[i] == expected(number, i);
    (good ? whole : wrong)++;
    if (number < last) turned++;
    last = number;
  }
  std::printf("whole %u wrong %u turned %u\n", whole, wrong, turned);
}
