// A program that does with sockets what it is told on standard input, one command a line, and answers each with one line.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace {

std::map<std::string, int> sockets;

sockaddr_in6 addressOf(const std::string& text, int port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET6, text.c_str(), &address.sin6_addr);
  return address;
}
std::string said(int result) { return result < 0 ? strerrorname_np(errno) : "ok"; }

bool readable(int fd, int ms) {
  pollfd item{fd, POLLIN, 0};
  return poll(&item, 1, ms) > 0;
}

std::string passTo(const std::string& path, int fd) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  path.copy(to.sun_path, sizeof to.sun_path - 1);
  const int link = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(link, reinterpret_cast<sockaddr*>(&to), sizeof to) < 0) return said(-1);
  char byte = 'x';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* item = CMSG_FIRSTHDR(&message);
  *item = {CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
  memcpy(CMSG_DATA(item), &fd, sizeof fd);
  const std::string result = said(static_cast<int>(sendmsg(link, &message, 0)));
  close(link);
  return result;
}

std::string takeFrom(const std::string& path, int& fd) {
  sockaddr_un here{};
  here.sun_family = AF_UNIX;
  path.copy(here.sun_path, sizeof here.sun_path - 1);
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listener, reinterpret_cast<sockaddr*>(&here), sizeof here) < 0 || listen(listener, 1) < 0) return said(-1);
  std::cout << "waiting" << std::endl;
  const int link = accept(listener, nullptr, nullptr);
  char byte;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(link, &message, 0) < 0) return said(-1);
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  close(link);
  close(listener);
  return "ok";
}

std::string perform(std::istringstream& words, const std::string& verb) {
  std::string name, address, text;
  int port = 0;
  words >> name;
  const int fd = sockets.contains(name) ? sockets[name] : -1;
  if (verb == "udp" || verb == "tcp" || verb == "mptcp") {
    sockets[name] = socket(AF_INET6, verb == "udp" ? SOCK_DGRAM : SOCK_STREAM, verb == "mptcp" ? IPPROTO_MPTCP : 0);
    const int on = 1;
    words >> text;
    for (; words || !text.empty(); text.clear(), words >> text) {
      if (text == "share") setsockopt(sockets[name], SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
      if (text == "reuse") setsockopt(sockets[name], SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      if (text == "only6") setsockopt(sockets[name], IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
      if (!words) break;
    }
    return said(sockets[name]);
  }
  if (verb == "udp4") return said(sockets[name] = socket(AF_INET, SOCK_DGRAM, 0));
  if (verb == "bind4") {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    words >> port;
    any.sin_port = htons(static_cast<uint16_t>(port));
    return said(bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any));
  }
  if (verb == "close") {
    sockets.erase(name);
    return said(close(fd));
  }
  if (verb == "listen") return said(listen(fd, 8));
  if (verb == "recv") {
    words >> port;
    if (!readable(fd, port)) return "nothing";
    char bytes[65536];
    const ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    return got < 0 ? said(-1) : got == 0 ? "end" : got > 64 ? std::to_string(got) : std::string(bytes, static_cast<size_t>(got));
  }
  if (verb == "accept") {
    std::string as;
    words >> as >> port;
    if (!readable(fd, port)) return "nothing";
    return said(sockets[as] = accept(fd, nullptr, nullptr));
  }
  if (verb == "write") {
    words >> text;
    return said(static_cast<int>(write(fd, text.data(), text.size())));
  }
  if (verb == "many") {
    // As many sockets of another kind of life: they only take room.
    words >> port;
    for (int i = 0; i < port; i++)
      if (socket(AF_INET6, SOCK_DGRAM, 0) < 0) return said(-1);
    return "ok";
  }
  if (verb == "fork") {
    // The child takes over the conversation, the parent waits, or ends (`fork away`).
    std::cout << std::flush;
    const pid_t child = fork();
    if (child > 0) {
      while (name != "away") pause();
      _exit(0);
    }
    return "ok";
  }
  if (verb == "exec") {
    // Another program goes on with the same sockets: `exec PATH`, its sockets named by their number.
    std::vector<std::string> held{name};
    for (const auto& [key, value] : sockets) {
      fcntl(value, F_SETFD, 0);
      held.push_back(key + "=" + std::to_string(value));
    }
    std::vector<char*> arguments;
    for (std::string& part : held) arguments.push_back(part.data());
    arguments.push_back(nullptr);
    execv(name.c_str(), arguments.data());
    return said(-1);
  }
  if (verb == "hide") return said(prctl(PR_SET_DUMPABLE, 0));
  if (verb == "pass") {
    words >> text;
    return passTo(text, fd);
  }
  if (verb == "take") {
    words >> text;
    return takeFrom(text, sockets[name]);
  }
  words >> address >> port;
  const sockaddr_in6 to = addressOf(address, port);
  const auto* where = reinterpret_cast<const sockaddr*>(&to);
  if (verb == "bind") return said(bind(fd, where, sizeof to));
  if (verb == "connect") {
    timeval patience{};
    words >> patience.tv_sec;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const auto begin = std::chrono::steady_clock::now();
    const std::string result = said(connect(fd, where, sizeof to));
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
    return result + " " + std::to_string(ms);
  }
  if (verb == "send" || verb == "big") {
    words >> text;
    if (verb == "big") text = std::string(static_cast<size_t>(std::stoi(text)), 'x');
    return said(static_cast<int>(sendto(fd, text.data(), text.size(), 0, where, sizeof to)));
  }
  if (verb == "shot") {
    // A socket that lives as short as can be: `shot - ADDRESS PORT TEXT`.
    words >> text;
    const int one = socket(AF_INET6, SOCK_DGRAM, 0);
    const std::string result = said(static_cast<int>(sendto(one, text.data(), text.size(), 0, where, sizeof to)));
    close(one);
    return result;
  }
  return "what?";
}

}  // namespace

int main(int argc, char** argv) {
  // `--shot ADDRESS PORT TEXT`: one datagram, and away without a word.
  if (argc == 5 && strcmp(argv[1], "--shot") == 0) {
    const sockaddr_in6 to = addressOf(argv[2], atoi(argv[3]));
    const int one = socket(AF_INET6, SOCK_DGRAM, 0);
    _exit(sendto(one, argv[4], strlen(argv[4]), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0 ? 1 : 0);
  }
  for (int i = 1; i < argc; i++) {
    const std::string part = argv[i];
    sockets[part.substr(0, part.find('='))] = std::stoi(part.substr(part.find('=') + 1));
  }
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    std::cout << perform(words, verb) << std::endl;
  }
}
