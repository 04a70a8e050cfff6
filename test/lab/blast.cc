// Sends what nobody should have to take: junk at a rate, solicitations as fast as they are answered, or raw packets as they are.
//
//   blast junk KIND IP PORT RATE SECONDS INNER [OUTER]   KIND: small large udp bubble echo trailers scan advert reply sibling; INNER:
//                                                IPv6 destination; OUTER: source, made up if it is not said; a sibling is like it
//   blast ask IP PORT SECONDS WINDOW             solicitations, at most WINDOW of them unanswered
//   blast offer IP PORT RATE SECONDS             solicitations at a rate, whether answered or not
//   blast crowd FROM IP PORT RATE COUNT          solicitations of COUNT clients, one each, at the addresses from FROM on
//   blast raw                                    lines of "4 HEX" or "6 HEX" on standard input, each a whole packet
//
// Prints one line of JSON at its end.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr size_t kBatch = 64, kMaxBytes = 1500, kHeader = 40;
constexpr int kBuffer = 4 << 20;

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "blast: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

uint64_t state = 0x9e3779b97f4a7c15;
uint64_t draw() {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

void put16(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

void fill(uint8_t* at, size_t length) {
  for (size_t i = 0; i < length; i++) at[i] = static_cast<uint8_t>(draw());
}

// Internet checksum of an ICMPv6 message with its pseudo-header.
uint16_t checksum(const uint8_t* packet, size_t payload) {
  uint32_t sum = static_cast<uint32_t>(payload) + 58;
  for (size_t i = 8; i < kHeader + payload; i += 2) sum += static_cast<uint32_t>(packet[i] << 8 | packet[i + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void header(uint8_t* packet, size_t payload, uint8_t next, uint8_t hops, const uint8_t* source, const uint8_t* destination) {
  std::memset(packet, 0, kHeader);
  packet[0] = 0x60;
  put16(packet + 4, static_cast<uint32_t>(payload));
  packet[6] = next;
  packet[7] = hops;
  std::memcpy(packet + 8, source, 16);
  std::memcpy(packet + 24, destination, 16);
}

// A Teredo address of the server 192.0.2.129 with a random client of 198.18.0.0/15 inside.
void madeUp(uint8_t* address) {
  const uint8_t prefix[8] = {0x20, 0x01, 0, 0, 192, 0, 2, 129};
  std::memcpy(address, prefix, 8);
  put16(address + 8, draw() & 0x3cff);
  put16(address + 10, static_cast<uint32_t>(draw()));
  const uint32_t ip = ~(0xc6120000u | (draw() & 0x1ffff));
  put16(address + 12, ip >> 16);
  put16(address + 14, ip);
}

size_t junk(const std::string& kind, uint8_t* packet, const uint8_t* inner, const uint8_t* outer) {
  uint8_t source[16];
  if (outer)
    std::memcpy(source, outer, 16);
  else
    madeUp(source);
  // The same mapped IPv4 address, other flags and another port.
  if (kind == "sibling") {
    put16(source + 8, draw() & 0x3cff);
    put16(source + 10, static_cast<uint32_t>(draw()));
  }
  if (kind == "small" || kind == "large") {
    const size_t length = kind == "small" ? 60 : 1400;
    fill(packet, length);
    return length;
  }
  if (kind == "bubble" || kind == "trailers" || kind == "sibling") {
    header(packet, 0, 59, 255, source, inner);
    if (kind != "trailers") return kHeader;
    // Trailers of nonsense: any type, any length, the last one past the end.
    fill(packet + kHeader, 1200);
    for (size_t at = 0; at < 1200; at += 2 + packet[kHeader + at + 1]) packet[kHeader + at + 1] &= 0x1f;
    return kHeader + 1200;
  }
  if (kind == "advert") {
    // Authentication with a nonce, origin, then an advertisement's header (RFC 4380 §5.1.1, §5.3.1).
    fill(packet, 21);
    packet[0] = packet[2] = packet[3] = packet[12] = packet[13] = packet[14] = 0;
    packet[1] = 1;
    const uint8_t router[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x80, 0, 0xf2, 0x27, 0x3f, 0xff, 0xfd, 0xfe};
    uint8_t* inside = packet + 21;
    header(inside, 48, 58, 255, router, inner);
    fill(inside + kHeader, 48);
    inside[kHeader] = 134;
    inside[kHeader + 1] = inside[kHeader + 2] = inside[kHeader + 3] = 0;
    put16(inside + kHeader + 2, checksum(inside, 48));
    return 21 + kHeader + 48;
  }
  const bool echo = kind == "echo" || kind == "reply";
  const size_t payload = echo ? 64 : 160;
  header(packet, payload, echo ? 58 : 17, 64, source, inner);
  // Flags and port of a Teredo address guessed (RFC 5991 §2).
  if (kind == "scan") fill(packet + 32, 4);
  uint8_t* upper = packet + kHeader;
  fill(upper, payload);
  if (echo) {
    upper[0] = kind == "reply" ? 129 : 128;
    upper[1] = upper[2] = upper[3] = 0;
    put16(upper + 2, checksum(packet, payload));
  } else {
    put16(upper + 4, payload);
  }
  return kHeader + payload;
}

struct Batch {
  uint8_t bytes[kBatch][kMaxBytes];
  iovec parts[kBatch];
  mmsghdr messages[kBatch];
  Batch() {
    for (size_t i = 0; i < kBatch; i++) {
      parts[i] = {bytes[i], kMaxBytes};
      messages[i] = {};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
};

int connected(const char* ip, const char* port) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kBuffer, sizeof kBuffer);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
  if (inet_pton(AF_INET, ip, &to.sin_addr) != 1) fail(ip);
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) < 0) fail("connect");
  return fd;
}

// Sends the first `count` of the batch; what the system refuses (an ICMP error that came back) is not sent again.
size_t sendAll(int fd, Batch& batch, size_t count) {
  size_t sent = 0;
  for (size_t at = 0; at < count;) {
    const int n = sendmmsg(fd, batch.messages + at, static_cast<unsigned>(count - at), 0);
    if (n < 0 && errno != ECONNREFUSED && errno != EHOSTUNREACH) fail("sendmmsg");
    at += n < 0 ? 1 : static_cast<size_t>(n);
    sent += n < 0 ? 0 : static_cast<size_t>(n);
  }
  return sent;
}

int runJunk(char** arguments) {
  const std::string kind = arguments[0];
  const int fd = connected(arguments[1], arguments[2]);
  const double rate = std::atof(arguments[3]), seconds = std::atof(arguments[4]);
  uint8_t inner[16], outer[16];
  if (inet_pton(AF_INET6, arguments[5], inner) != 1) fail(arguments[5]);
  if (arguments[6] && inet_pton(AF_INET6, arguments[6], outer) != 1) fail(arguments[6]);
  auto* batch = new Batch;
  const double begin = now();
  size_t sent = 0, heard = 0, due = 0;
  for (double t = 0; t < seconds; t = now() - begin) {
    due = static_cast<size_t>(t * rate) + 1;
    while (sent < due) {
      const size_t count = std::min(kBatch, due - sent);
      for (size_t i = 0; i < count; i++) batch->parts[i].iov_len = junk(kind, batch->bytes[i], inner, arguments[6] ? outer : nullptr);
      sent += sendAll(fd, *batch, count);
    }
    uint8_t answer[kMaxBytes];
    while (recv(fd, answer, sizeof answer, MSG_DONTWAIT) >= 0) heard++;
    usleep(1000);
  }
  std::printf("{\"sent\":%zu,\"heard\":%zu,\"seconds\":%.3f}\n", sent, heard, now() - begin);
  return 0;
}

// Solicitation with an empty authentication and a nonce of its own (RFC 4380 §5.2.1).
size_t solicitation(uint8_t* bytes, uint64_t number) {
  std::memset(bytes, 0, 13);
  bytes[1] = 1;
  std::memcpy(bytes + 4, &number, sizeof number);
  const uint8_t source[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  const uint8_t routers[16] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  uint8_t* packet = bytes + 13;
  header(packet, 8, 58, 255, source, routers);
  std::memset(packet + kHeader, 0, 8);
  packet[kHeader] = 133;
  put16(packet + kHeader + 2, checksum(packet, 8));
  return 13 + kHeader + 8;
}

// How many of the messages are advertisements: a repeated authentication, the origin, then 40 bytes and the type.
size_t countAnswers(int fd, Batch& in) {
  size_t answered = 0;
  for (;;) {
    for (size_t i = 0; i < kBatch; i++) in.parts[i].iov_len = kMaxBytes;
    const int count = recvmmsg(fd, in.messages, kBatch, MSG_DONTWAIT, nullptr);
    if (count <= 0) return answered;
    for (int i = 0; i < count; i++)
      if (in.messages[i].msg_len > 61 && in.bytes[i][1] == 1 && in.bytes[i][61] == 134) answered++;
  }
}

int runAsk(char** arguments) {
  const int fd = connected(arguments[0], arguments[1]);
  const double seconds = std::atof(arguments[2]);
  const auto window = static_cast<size_t>(std::atoi(arguments[3]));
  auto* out = new Batch;
  auto* in = new Batch;
  size_t sent = 0, answered = 0, lost = 0, waiting = 0;
  const double begin = now();
  while (now() - begin < seconds) {
    while (waiting < window) {
      const size_t count = std::min(kBatch, window - waiting);
      for (size_t i = 0; i < count; i++) out->parts[i].iov_len = solicitation(out->bytes[i], sent + i);
      sendAll(fd, *out, count);
      sent += count;
      waiting += count;
    }
    pollfd wait{fd, POLLIN, 0};
    if (poll(&wait, 1, 100) == 0) {
      // Nothing for a tenth of a second: what is out was lost.
      lost += waiting;
      waiting = 0;
      continue;
    }
    const size_t heard = countAnswers(fd, *in);
    answered += heard;
    waiting -= std::min(waiting, heard);
  }
  std::printf("{\"sent\":%zu,\"answered\":%zu,\"lost\":%zu,\"seconds\":%.3f}\n", sent, answered, lost, now() - begin);
  return 0;
}

int runOffer(char** arguments) {
  const int fd = connected(arguments[0], arguments[1]);
  const double rate = std::atof(arguments[2]), seconds = std::atof(arguments[3]);
  auto* out = new Batch;
  auto* in = new Batch;
  size_t sent = 0, answered = 0;
  const double begin = now();
  for (double t = 0; t < seconds; t = now() - begin) {
    const auto due = static_cast<size_t>(t * rate) + 1;
    while (sent < due) {
      const size_t count = std::min(kBatch / 2, due - sent);
      for (size_t i = 0; i < count; i++) out->parts[i].iov_len = solicitation(out->bytes[i], sent + i);
      sent += sendAll(fd, *out, count);
    }
    answered += countAnswers(fd, *in);
    usleep(200);
  }
  const double took = now() - begin;
  usleep(300'000);
  answered += countAnswers(fd, *in);
  std::printf("{\"sent\":%zu,\"answered\":%zu,\"lost\":%zu,\"seconds\":%.3f}\n", sent, answered, sent - std::min(sent, answered), took);
  return 0;
}

int runCrowd(char** arguments) {
  const int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  if (fd < 0) fail("socket");
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kBuffer, sizeof kBuffer);
  in_addr from{};
  sockaddr_in to{};
  to.sin_family = AF_INET;
  if (inet_pton(AF_INET, arguments[0], &from) != 1 || inet_pton(AF_INET, arguments[1], &to.sin_addr) != 1) fail("address");
  const int port = std::atoi(arguments[2]);
  const double rate = std::atof(arguments[3]);
  const auto total = static_cast<size_t>(std::atol(arguments[4]));
  auto* out = new Batch;
  const double begin = now();
  size_t sent = 0;
  while (sent < total) {
    const auto due = std::min(total, static_cast<size_t>((now() - begin) * rate) + 1);
    while (sent < due) {
      const size_t count = std::min(kBatch, due - sent);
      for (size_t i = 0; i < count; i++) {
        uint8_t* packet = out->bytes[i];
        const size_t length = 28 + solicitation(packet + 28, sent + i);
        std::memset(packet, 0, 28);
        packet[0] = 0x45;
        put16(packet + 2, static_cast<uint32_t>(length));
        packet[8] = 64;
        packet[9] = 17;
        const uint32_t source = htonl(ntohl(from.s_addr) + static_cast<uint32_t>(sent + i));
        std::memcpy(packet + 12, &source, 4);
        std::memcpy(packet + 16, &to.sin_addr, 4);
        put16(packet + 20, 40000);
        put16(packet + 22, static_cast<uint32_t>(port));
        put16(packet + 24, static_cast<uint32_t>(length - 20));
        out->parts[i].iov_len = length;
        out->messages[i].msg_hdr.msg_name = &to;
        out->messages[i].msg_hdr.msg_namelen = sizeof to;
      }
      sent += sendAll(fd, *out, count);
    }
    usleep(200);
  }
  std::printf("{\"sent\":%zu,\"seconds\":%.3f}\n", sent, now() - begin);
  return 0;
}

int runRaw() {
  const int four = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), six = socket(AF_INET6, SOCK_RAW, IPPROTO_RAW);
  if (four < 0 || six < 0) fail("socket");
  const int on = 1;
  setsockopt(four, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
  static char line[4 * kMaxBytes];
  size_t sent = 0;
  while (std::fgets(line, sizeof line, stdin)) {
    std::vector<uint8_t> bytes;
    for (const char* at = line + 2; at[0] > ' ' && at[1] > ' '; at += 2) {
      const char digits[3] = {at[0], at[1], 0};
      bytes.push_back(static_cast<uint8_t>(std::strtoul(digits, nullptr, 16)));
    }
    ssize_t done;
    if (line[0] == '4') {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      std::memcpy(&to.sin_addr, &bytes[16], 4);
      done = sendto(four, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    } else {
      sockaddr_in6 to{};
      to.sin6_family = AF_INET6;
      std::memcpy(&to.sin6_addr, &bytes[24], 16);
      done = sendto(six, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    }
    if (done < 0) fail("sendto");
    sent++;
  }
  std::printf("{\"sent\":%zu}\n", sent);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string mode = count > 1 ? arguments[1] : "";
  if (mode == "junk" && (count == 8 || count == 9)) return runJunk(arguments + 2);
  if (mode == "ask" && count == 6) return runAsk(arguments + 2);
  if (mode == "offer" && count == 6) return runOffer(arguments + 2);
  if (mode == "crowd" && count == 7) return runCrowd(arguments + 2);
  if (mode == "raw") return runRaw();
  std::fprintf(stderr, "blast: see the head of its source for the arguments\n");
  return 2;
}
