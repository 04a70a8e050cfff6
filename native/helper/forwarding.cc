// Changes and restores the IPv6 settings of a router (sysctl net.ipv6.conf.*).
//
// Switching forwarding on anywhere makes the kernel drop the default routes that router advertisements gave, on every
// interface whose `accept_ra` is not 2. So `accept_ra` 1 becomes 2 first: for good on the relay's native interface, which goes on
// listening to its router, and for the moment of the change on the others. An `accept_ra` of 0 is somebody's decision and stays.
#include "forwarding.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "confine.h"

namespace helper {

namespace {

const std::string kFolder = "/proc/sys/net/ipv6/conf/";
// An abstract name belongs to the network namespace, as the settings do, and goes with its last holder.
constexpr char kLockName[] = "\0shipworm-forwarding";
// Three seconds: a guard restores within milliseconds of its relay's end.
constexpr int kLockTries = 150;
constexpr useconds_t kLockWaitMicroseconds = 20'000;

std::string settingOf(const std::string& interface, const char* setting) { return kFolder + interface + "/" + setting; }

// Without its line end; empty when it can't be read.
std::string readValue(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  char text[16];
  const ssize_t got = read(fd, text, sizeof text);
  close(fd);
  std::string value(text, got > 0 ? static_cast<size_t>(got) : 0);
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

// 0, or the errno.
int writeValue(const std::string& path, const std::string& value) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int error = write(fd, value.c_str(), value.size()) == static_cast<ssize_t>(value.size()) ? 0 : errno;
  close(fd);
  return error;
}

// Every interface but the adapter, which goes with its settings, and the collective names.
std::vector<std::string> interfacesBut(const std::string& adapter) {
  std::vector<std::string> names;
  DIR* folder = opendir(kFolder.c_str());
  if (!folder) return names;
  while (const dirent* entry = readdir(folder)) {
    const std::string name = entry->d_name;
    if (name != "." && name != ".." && name != "all" && name != "default" && name != adapter) names.push_back(name);
  }
  closedir(folder);
  return names;
}

}  // namespace

Forwarding::~Forwarding() {
  if (guard_ >= 0) close(guard_);
  if (lock_ >= 0) close(lock_);
}

Answer Forwarding::start(const std::string& adapter, const std::string& native, Forward how) {
  if (readValue(settingOf(native, "forwarding")).empty())
    return {Status::badArgument, 0, "There is no interface \"" + native + "\" with IPv6; name the one towards native IPv6 with --native."};
  if (how == Forward::two && readValue(settingOf(native, "force_forwarding")).empty())
    return {Status::unsupported, 0, "This kernel forwards on all interfaces or on none; single ones take Linux 6.17."};
  if (!lock()) return {Status::busy, 0, "Another relay forwards on this machine; end that one first."};
  plan(adapter, native, how);
  // From the first change on somebody must be there to undo it.
  if (!startGuard()) return {Status::system, 0, "The process that restores the settings later could not be started."};
  for (const Write& each : on_) {
    const int error = writeValue(each.path, each.value);
    if (!error || error == ENOENT) continue;
    restore();
    return {Status::system, 0,
            each.path.substr(std::strlen("/proc/sys/")) + " could not be set (" + std::strerror(error) +
                "). A container may forbid that; switch IPv6 forwarding on outside of it."};
  }
  return {};
}

void Forwarding::restore() {
  for (const Write& each : off_)
    if (each.only.empty() || readValue(each.path) == each.only) writeValue(each.path, each.value);
}

// The session and its guard hold it; a former relay's guard may still be at work.
bool Forwarding::lock() {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, kLockName, sizeof kLockName - 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + sizeof kLockName - 1);
  lock_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (int tries = 0; lock_ >= 0 && tries < kLockTries; tries++) {
    if (bind(lock_, reinterpret_cast<const sockaddr*>(&name), length) == 0) return true;
    if (errno != EADDRINUSE) return false;
    usleep(kLockWaitMicroseconds);
  }
  return false;
}

// What is written in which order, and what undoes it. Nothing, where this machine is a router already.
void Forwarding::plan(const std::string& adapter, const std::string& native, Forward how) {
  const std::string all = settingOf("all", "forwarding");
  if (readValue(all) == "1") return;
  std::vector<Write> lower, kept;
  const auto keep = [&](const std::string& name) {
    const std::string path = settingOf(name, "forwarding");
    kept.push_back({path, readValue(path), ""});
  };
  for (const std::string& name : interfacesBut(adapter)) {
    const std::string accept = settingOf(name, "accept_ra");
    if (readValue(accept) == "1") {
      on_.push_back({accept, "2", ""});
      lower.push_back({accept, "1", "2"});
    }
    if (name != native) keep(name);
  }
  keep("default");
  const auto append = [](std::vector<Write>& to, const std::vector<Write>& what) { to.insert(to.end(), what.begin(), what.end()); };
  if (how == Forward::two) {
    for (const std::string& name : {native, adapter})
      for (const char* setting : {"forwarding", "force_forwarding"}) {
        const std::string path = settingOf(name, setting), before = readValue(path);
        if (before == "1") continue;
        on_.push_back({path, "1", ""});
        if (name == native) off_.push_back({path, before, "1"});
      }
  } else {
    const std::string path = settingOf(native, "forwarding"), before = readValue(path);
    // `all` changes every interface and the default for new ones; they get their own values back.
    on_.push_back({all, "1", ""});
    append(on_, kept);
    for (const Write& each : lower) off_.push_back({each.path, "2", "1"});
    off_.push_back({all, "0", "1"});
    append(off_, kept);
    if (before == "1") off_.push_back({path, before, ""});
  }
  for (const Write& each : lower)
    if (each.path != settingOf(native, "accept_ra")) on_.push_back({each.path, each.value, ""});
  append(off_, lower);
}

// Waits for the end of the session, whose descriptor it holds the other end of, and restores.
bool Forwarding::startGuard() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return false;
  const pid_t child = fork();
  if (child < 0) {
    close(pair[0]), close(pair[1]);
    return false;
  }
  if (child == 0) {
    // The end of a terminal, or of a service's processes all at once, is when it is needed.
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_IGN);
    setsid();
    closeOthers({std::min(pair[1], lock_), std::max(pair[1], lock_)});
    char byte;
    while (read(pair[1], &byte, 1) < 0 && errno == EINTR) continue;
    restore();
    _exit(0);
  }
  close(pair[1]);
  guard_ = pair[0];
  return true;
}

}  // namespace helper
