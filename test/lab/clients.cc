// Plays any number of Teredo clients of a relay, their server, and a native host that talks to each of them.
//
//   clients SPACE NATIVE SERVER RELAY PORT FIRST COUNT RATE
//
// Begins where the native host is (address NATIVE) and goes on in the network namespace SPACE as the Teredo server SERVER and COUNT clients at
// the 64 addresses from FIRST on. The native host sends each client one packet, RATE a second in all; the relay at RELAY:PORT asks for it by
// the server, and the client answers (RFC 4380 §5.4.1). Who has answered sends a packet every two minutes. Prints "all asked" when the relay has
// asked for every one and nothing more comes, and ends by a signal.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
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

constexpr size_t kHeader = 40, kOuter = 28, kEcho = 8;
constexpr uint32_t kAddresses = 64;
constexpr int kBuffer = 8 << 20;
constexpr double kTalkEvery = 120;
// The relay repeats a bubble that was not answered within 2 s.
constexpr double kQuiet = 5;

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "clients: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

void put16(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}
void put32(uint8_t* at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value);
}
uint32_t get16(const uint8_t* at) { return static_cast<uint32_t>(at[0] << 8 | at[1]); }
uint32_t get32(const uint8_t* at) { return get16(at) << 16 | get16(at + 2); }

uint32_t addressOf(const char* text) {
  in_addr address{};
  if (inet_pton(AF_INET, text, &address) != 1) fail(text);
  return ntohl(address.s_addr);
}

struct Setting {
  uint8_t native[16];
  uint32_t server, relay, first;
  uint16_t port;
  uint32_t count;
};

uint32_t ipOf(const Setting& setting, uint32_t n) { return setting.first + n % kAddresses; }
uint16_t portOf(uint32_t n) { return static_cast<uint16_t>(1024 + n / kAddresses); }

// RFC 4380 §4.
void teredo(const Setting& setting, uint32_t n, uint8_t* address) {
  put32(address, 0x20010000);
  put32(address + 4, setting.server);
  put16(address + 8, 0);
  put16(address + 10, ~static_cast<uint32_t>(portOf(n)));
  put32(address + 12, ~ipOf(setting, n));
}

uint32_t numberOf(const Setting& setting, const uint8_t* address) {
  const uint32_t port = get16(address + 10) ^ 0xffff, ip = ~get32(address + 12);
  return (port - 1024) * kAddresses + (ip - setting.first);
}

void header(uint8_t* packet, size_t payload, uint8_t next, const uint8_t* source, const uint8_t* destination) {
  std::memset(packet, 0, kHeader + payload);
  packet[0] = 0x60;
  put16(packet + 4, static_cast<uint32_t>(payload));
  packet[6] = next;
  packet[7] = 64;
  std::memcpy(packet + 8, source, 16);
  std::memcpy(packet + 24, destination, 16);
}

// An echo reply that nobody waits for: whom it reaches does not answer.
void echoReply(uint8_t* packet, const uint8_t* source, const uint8_t* destination) {
  header(packet, kEcho, 58, source, destination);
  packet[kHeader] = 129;
  uint32_t sum = kEcho + 58;
  for (size_t i = 8; i < kHeader + kEcho; i += 2) sum += get16(packet + i);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  put16(packet + kHeader + 2, ~sum);
}

// What the system has no room for now is lost, as on a line.
void send(int fd, const void* bytes, size_t length, const sockaddr* to, socklen_t toLength) {
  if (sendto(fd, bytes, length, 0, to, toLength) < 0 && errno != ENOBUFS && errno != EAGAIN) fail("sendto");
}

class Crowd {
 public:
  Crowd(const Setting& setting, const std::string& space) : setting_(setting), answered_(setting.count) {
    six_ = open(AF_INET6, SOCK_RAW, IPPROTO_RAW);
    const int other = ::open(("/run/netns/" + space).c_str(), O_RDONLY | O_CLOEXEC);
    if (other < 0 || setns(other, CLONE_NEWNET) < 0) fail(space.c_str());
    four_ = open(AF_INET, SOCK_RAW, IPPROTO_RAW);
    server_ = open(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_port = htons(3544);
    own.sin_addr.s_addr = htonl(setting.server);
    if (bind(server_, reinterpret_cast<sockaddr*>(&own), sizeof own) < 0) fail("bind");
  }

  [[noreturn]] void run(double rate) {
    double last = now(), lastBubble = last, owed = 0, talk = 0;
    bool told = false;
    for (;;) {
      const double time = now(), passed = std::min(time - last, 0.1);
      last = time;
      for (owed += passed * rate; owed >= 1 && total_ < setting_.count; owed--) ask();
      for (talk += passed * total_ / kTalkEvery; talk >= 1; talk--) speak();
      if (answerBubbles()) lastBubble = time;
      if (!told && total_ == setting_.count && time - lastBubble > kQuiet) {
        told = true;
        std::puts("all asked");
        std::fflush(stdout);
      }
      usleep(1000);
    }
  }

 private:
  int open(int family, int type, int protocol) {
    const int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    if (fd < 0) fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kBuffer, sizeof kBuffer);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer);
    return fd;
  }

  // The native host sends to the next client that the relay has not asked for, round and round.
  void ask() {
    do next_ = (next_ + 1) % setting_.count;
    while (answered_[next_]);
    uint8_t packet[kHeader + kEcho], client[16];
    teredo(setting_, next_, client);
    echoReply(packet, setting_.native, client);
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    std::memcpy(&to.sin6_addr, client, 16);
    send(six_, packet, sizeof packet, reinterpret_cast<sockaddr*>(&to), sizeof to);
  }

  // The next client that is known sends to the native host.
  void speak() {
    do spoke_ = (spoke_ + 1) % setting_.count;
    while (!answered_[spoke_]);
    uint8_t packet[kHeader + kEcho], client[16];
    teredo(setting_, spoke_, client);
    echoReply(packet, client, setting_.native);
    fromClient(spoke_, packet, sizeof packet);
  }

  bool answerBubbles() {
    bool any = false;
    uint8_t in[kHeader + 64], out[kHeader], client[16];
    while (recv(server_, in, sizeof in, MSG_DONTWAIT) == static_cast<ssize_t>(kHeader)) {
      const uint32_t n = numberOf(setting_, in + 24);
      if (n >= setting_.count) continue;
      any = true;
      if (!answered_[n]) total_++;
      answered_[n] = true;
      teredo(setting_, n, client);
      header(out, 0, 59, client, in + 8);
      fromClient(n, out, sizeof out);
    }
    return any;
  }

  void fromClient(uint32_t n, const uint8_t* payload, size_t length) {
    uint8_t packet[kOuter + kHeader + kEcho] = {0x45};
    put16(packet + 2, static_cast<uint32_t>(kOuter + length));
    packet[8] = 64;
    packet[9] = 17;
    put32(packet + 12, ipOf(setting_, n));
    put32(packet + 16, setting_.relay);
    put16(packet + 20, portOf(n));
    put16(packet + 22, setting_.port);
    put16(packet + 24, static_cast<uint32_t>(8 + length));
    std::memcpy(packet + kOuter, payload, length);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(setting_.relay);
    send(four_, packet, kOuter + length, reinterpret_cast<sockaddr*>(&to), sizeof to);
  }

  const Setting setting_;
  std::vector<bool> answered_;
  uint32_t total_ = 0, next_ = 0, spoke_ = 0;
  int six_ = -1, four_ = -1, server_ = -1;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 9) {
    std::fprintf(stderr, "clients: see the head of its source for the arguments\n");
    return 2;
  }
  Setting setting{};
  if (inet_pton(AF_INET6, arguments[2], setting.native) != 1) fail(arguments[2]);
  setting.server = addressOf(arguments[3]);
  setting.relay = addressOf(arguments[4]);
  setting.port = static_cast<uint16_t>(std::atoi(arguments[5]));
  setting.first = addressOf(arguments[6]);
  setting.count = static_cast<uint32_t>(std::atol(arguments[7]));
  Crowd(setting, arguments[1]).run(std::atof(arguments[8]));
}
