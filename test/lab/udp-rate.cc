// Sends UDP packets at a rate, counts those that arrive, and takes round-trip times; it costs little and loses none itself.
//
//   udp-rate receive PORT SILENCE             counts from the first packet on until none came for SILENCE seconds, or 3 s
//   udp-rate send IP PORT BYTES RATE SECONDS  BYTES of payload each; IPv6 or IPv4
//   udp-rate echo PORT                        sends each packet back, until it is ended
//   udp-rate ping IP PORT COUNT PAUSE         round trips of 64 bytes, PAUSE seconds apart; their percentiles in microseconds
//
// Prints one line of JSON at its end.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr size_t kBatch = 32, kMaxBytes = 1500;
constexpr int kBuffer = 32 << 20;

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "udp-rate: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

struct Batch {
  uint8_t bytes[kBatch][kMaxBytes] = {};
  iovec parts[kBatch];
  mmsghdr messages[kBatch] = {};
  explicit Batch(size_t length) {
    for (size_t i = 0; i < kBatch; i++) {
      parts[i] = {bytes[i], length};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
};

// A socket bound to `port` on every address, IPv4 and IPv6.
int bound(const char* port) {
  const int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  const int off = 0;
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer);
  sockaddr_in6 own{};
  own.sin6_family = AF_INET6;
  own.sin6_port = htons(static_cast<uint16_t>(std::atoi(port)));
  if (bind(fd, reinterpret_cast<sockaddr*>(&own), sizeof own) < 0) fail("bind");
  std::fprintf(stderr, "ready\n");
  return fd;
}

int receive(char** arguments) {
  const int fd = bound(arguments[0]);
  const int silence = static_cast<int>(std::atof(arguments[1]) * 1000);
  auto* batch = new Batch(kMaxBytes);
  size_t received = 0;
  double first = 0, last = 0;
  for (;;) {
    pollfd wait{fd, POLLIN, 0};
    if (poll(&wait, 1, received ? silence : 3'000) == 0) break;
    const int count = recvmmsg(fd, batch->messages, kBatch, MSG_DONTWAIT, nullptr);
    if (count <= 0) continue;
    last = now();
    if (!received) first = last;
    received += static_cast<size_t>(count);
  }
  std::printf("{\"received\":%zu,\"seconds\":%.4f}\n", received, last - first);
  return 0;
}

int connected(const char* ip, const char* port) {
  const bool six = std::strchr(ip, ':');
  sockaddr_in6 to6{};
  sockaddr_in to4{};
  to6.sin6_family = AF_INET6;
  to4.sin_family = AF_INET;
  to6.sin6_port = to4.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
  if (inet_pton(six ? AF_INET6 : AF_INET, ip, six ? static_cast<void*>(&to6.sin6_addr) : &to4.sin_addr) != 1)
    fail(ip);
  const int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kBuffer, sizeof kBuffer);
  if (connect(fd, six ? reinterpret_cast<sockaddr*>(&to6) : reinterpret_cast<sockaddr*>(&to4), six ? sizeof to6 : sizeof to4) < 0)
    fail("connect");
  return fd;
}

int send(char** arguments) {
  const int fd = connected(arguments[0], arguments[1]);
  const auto length = static_cast<size_t>(std::atoi(arguments[2]));
  const double rate = std::atof(arguments[3]), seconds = std::atof(arguments[4]);
  auto* batch = new Batch(std::min(length, kMaxBytes));
  size_t sent = 0, refused = 0;
  const double begin = now();
  for (double t = 0; t < seconds; t = now() - begin) {
    const auto due = static_cast<size_t>(t * rate) + 1;
    if (sent >= due) {
      // No longer a pause than a few packets take: this is a rate, not bursts, to be carried.
      timespec pause{0, 50'000};
      nanosleep(&pause, nullptr);
      continue;
    }
    const int done = sendmmsg(fd, batch->messages, static_cast<unsigned>(std::min(kBatch, due - sent)), 0);
    if (done > 0) sent += static_cast<size_t>(done);
    else if (++refused > 1'000'000) fail("sendmmsg");
  }
  std::printf("{\"sent\":%zu,\"seconds\":%.4f}\n", sent, now() - begin);
  return 0;
}

int echo(char** arguments) {
  const int fd = bound(arguments[0]);
  for (;;) {
    uint8_t bytes[kMaxBytes];
    sockaddr_in6 from{};
    socklen_t length = sizeof from;
    const ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (got > 0) sendto(fd, bytes, static_cast<size_t>(got), 0, reinterpret_cast<sockaddr*>(&from), length);
  }
}

int ping(char** arguments) {
  const int fd = connected(arguments[0], arguments[1]);
  const int count = std::atoi(arguments[2]);
  const double pause = std::atof(arguments[3]);
  std::vector<double> times;
  uint8_t bytes[64] = {};
  for (int i = 0; i < count; i++) {
    const double begin = now();
    std::memcpy(bytes, &i, sizeof i);
    if (::send(fd, bytes, sizeof bytes, 0) < 0) continue;
    for (;;) {
      const int left = static_cast<int>((begin + 1 - now()) * 1000);
      pollfd wait{fd, POLLIN, 0};
      if (left <= 0 || poll(&wait, 1, left) <= 0) break;
      uint8_t answer[kMaxBytes];
      int number = -1;
      if (recv(fd, answer, sizeof answer, MSG_DONTWAIT) >= static_cast<ssize_t>(sizeof number)) std::memcpy(&number, answer, sizeof number);
      if (number != i) continue;
      times.push_back((now() - begin) * 1e6);
      break;
    }
    const double rest = begin + pause - now();
    if (rest > 0) usleep(static_cast<useconds_t>(rest * 1e6));
  }
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) { return times.empty() ? -1 : times[std::min(times.size() - 1, static_cast<size_t>(share * static_cast<double>(times.size())))]; };
  std::printf("{\"answered\":%zu,\"p50\":%.1f,\"p99\":%.1f}\n", times.size(), at(0.5), at(0.99));
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string mode = count > 1 ? arguments[1] : "";
  if (mode == "receive" && count == 4) return receive(arguments + 2);
  if (mode == "send" && count == 7) return send(arguments + 2);
  if (mode == "echo" && count == 3) return echo(arguments + 2);
  if (mode == "ping" && count == 6) return ping(arguments + 2);
  std::fprintf(stderr, "udp-rate: see the head of its source for the arguments\n");
  return 2;
}
