// Reads a process in /proc.
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "appimage.h"

namespace owners {

namespace {

constexpr const char* kDeleted = " (deleted)";
constexpr size_t kSmallFile = 4096, kBigFile = 64 << 10;

bool sameFile(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

// Only root can change it: its own, and no bit for others.
bool rootsAlone(const struct stat& info) { return info.st_uid == 0 && (info.st_mode & 022) == 0; }

// The file or a folder on its way can be written by somebody who is not root.
bool writableWay(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    struct stat info{};
    if (lstat(path.substr(0, end).c_str(), &info) < 0 || !rootsAlone(info)) return true;
    if (end == std::string::npos) return false;
  }
}

}  // namespace

bool writableBySomebody(const std::string& path, const struct stat& file) { return !rootsAlone(file) || writableWay(path); }

// The rules of engine/gate/identity.ts: a path means the host's, never that of another mount namespace.
bool isForbidden(const policy::Policy& policy, const Identity& identity) {
  const auto names = [&](const policy::Application& one) {
    if (one.user && *one.user != identity.user) return false;
    if (!one.hash.empty() && one.hash != identity.hash) return false;
    if (!one.path.empty()) return one.path == identity.path && !identity.foreign;
    if (!one.flatpak.empty()) return identity.group == GroupKind::flatpak && identity.groupId == one.flatpak;
    return identity.group == GroupKind::snap && identity.groupId == one.snap;
  };
  return std::any_of(policy.forbidden.begin(), policy.forbidden.end(), names);
}

ProcessView::ProcessView(pid_t pid)
    : pid_(pid), directory_(open(("/proc/" + std::to_string(pid)).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

std::string ProcessView::readAll(const char* name, size_t limit) const {
  const Descriptor file(openat(directory_.get(), name, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::string text;
  std::array<char, 4096> part;
  while (file.valid() && text.size() < limit) {
    const ssize_t got = read(file.get(), part.data(), part.size());
    if (got <= 0) break;
    text.append(part.data(), static_cast<size_t>(got));
  }
  return text;
}

std::string ProcessView::link(const char* name) const {
  std::array<char, 4096 + 16> text;
  const ssize_t length = readlinkat(directory_.get(), name, text.data(), text.size());
  return length > 0 && static_cast<size_t>(length) < text.size() ? std::string(text.data(), static_cast<size_t>(length)) : "";
}

// stat, proc(5): the command stands in brackets and may hold anything; the start is the 20th word after it.
uint64_t ProcessView::startedMs() const {
  const std::string text = readAll("stat", kSmallFile);
  size_t at = text.rfind(')');
  if (at == std::string::npos) return 0;
  for (int word = 0; word < 20 && at != std::string::npos; word++) at = text.find(' ', at + 1);
  if (at == std::string::npos) return 0;
  const uint64_t ticks = strtoull(text.c_str() + at, nullptr, 10);
  return ticks * 1000 / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
}

std::string ProcessView::comm() const {
  std::string text = readAll("comm", kSmallFile);
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

bool ProcessView::user(uint32_t& user) const {
  const std::string text = readAll("status", kSmallFile);
  const size_t at = text.find("\nUid:\t");
  if (at == std::string::npos) return false;
  const size_t effective = text.find('\t', at + 6);
  if (effective == std::string::npos) return false;
  user = static_cast<uint32_t>(strtoul(text.c_str() + effective + 1, nullptr, 10));
  return true;
}

Descriptor ProcessView::openFile(const Identity& identity) const {
  if (identity.content) return ProcessView(identity.content).openFile({});
  return Descriptor(openat(directory_.get(), "exe", O_RDONLY | O_CLOEXEC));
}

bool ProcessView::identify(Identity& identity) const {
  struct stat own{}, again{}, host{};
  const bool seen = fstatat(directory_.get(), "exe", &own, 0) == 0;
  // What a user mounted for himself no other user may look at, root neither.
  if (!seen && errno != EACCES) return false;
  const std::string ownPath = link("exe");
  if (ownPath.empty()) return false;
  identity.content = seen ? 0 : appImageServer(readAll("mountinfo", 1 << 20), ownPath);
  // An AppImage is the file that serves what runs; else there is a path without a file.
  const ProcessView image(identity.content ? identity.content : pid_);
  const ProcessView& shown = identity.content ? image : *this;
  struct stat file{};
  std::string path = shown.link("exe");
  identity.hasFile = fstatat(shown.directory_.get(), "exe", &file, 0) == 0;
  const std::string suffix = kDeleted;
  const bool deleted = path.size() > suffix.size() && path.compare(path.size() - suffix.size(), suffix.size(), suffix) == 0 && file.st_nlink == 0;
  if (deleted) path.resize(path.size() - suffix.size());
  identity.path = path.starts_with('/') ? path : "";
  if (identity.hasFile) identity.file = stateOf(file);
  identity.replaced = deleted || identity.path.empty() || stat(path.c_str(), &host) < 0 || !sameFile(file, host);
  identity.foreign = isForeign(identity, deleted);
  identity.writable = identity.replaced || identity.foreign || !identity.hasFile || writableBySomebody(path, file);
  findGroup(identity);
  findScript(identity);
  return (fstatat(directory_.get(), "exe", &again, 0) == 0) == seen && sameFile(own, again) && link("exe") == ownPath;
}

// A mount namespace that only root can have made, with the host's root folder and the host's file at that path, shows what the
// host shows (services and network namespaces are started like that). Any other one is a container or an impostor.
bool ProcessView::isForeign(const Identity& identity, bool deleted) const {
  struct stat theirs{}, ours{};
  if (fstatat(directory_.get(), "ns/mnt", &theirs, 0) < 0 || stat("/proc/self/ns/mnt", &ours) < 0) return true;
  if (sameFile(theirs, ours)) return false;
  const Descriptor mounts(openat(directory_.get(), "ns/mnt", O_RDONLY | O_CLOEXEC));
  const Descriptor users(mounts.valid() ? ioctl(mounts.get(), NS_GET_USERNS) : -1);
  if (!users.valid() || fstat(users.get(), &theirs) < 0 || stat("/proc/self/ns/user", &ours) < 0 || !sameFile(theirs, ours)) return true;
  if (fstatat(directory_.get(), "root", &theirs, 0) < 0 || stat("/", &ours) < 0 || !sameFile(theirs, ours)) return true;
  return identity.replaced && !deleted;
}

void ProcessView::findGroup(Identity& identity) const {
  // Of the program's own root folder, which only its sandbox could have put there.
  const std::string info = identity.foreign ? readAll("root/.flatpak-info", kBigFile) : "";
  const size_t section = info.find("[Application]\n");
  const size_t name = section == std::string::npos ? section : info.find("\nname=", section);
  if (name != std::string::npos) {
    identity.group = GroupKind::flatpak;
    identity.groupId = info.substr(name + 6, info.find('\n', name + 6) - name - 6);
    return;
  }
  identity.group = groupOf(readAll("cgroup", kBigFile), identity.path, identity.groupId);
  if (identity.group != GroupKind::none || !identity.content) return;
  identity.group = GroupKind::appimage;
  identity.groupId = identity.path;
}

// The first argument that is no option, if it is a file. A process can rewrite its arguments: a name to show.
void ProcessView::findScript(Identity& identity) const {
  static constexpr const char* kInterpreters[] = {"python", "node", "perl", "ruby", "bash", "dash", "sh", "zsh", "php", "lua", "java", "wish", "tclsh"};
  const std::string name = identity.path.substr(identity.path.rfind('/') + 1);
  const auto isInterpreter = [&] {
    for (const char* known : kInterpreters)
      if (name.starts_with(known) && name.find_first_not_of("0123456789.", std::strlen(known)) == std::string::npos) return true;
    return false;
  };
  if (!isInterpreter()) return;
  const std::string arguments = readAll("cmdline", kBigFile);
  size_t at = arguments.find('\0');
  while (at != std::string::npos && at + 1 < arguments.size()) {
    const std::string argument = arguments.c_str() + at + 1;
    at += argument.size() + 1;
    if (argument == "-c" || argument == "-e" || argument == "-m") return;
    if (argument.empty() || argument[0] == '-') continue;
    const std::string path = argument[0] == '/' ? argument : link("cwd") + "/" + argument;
    struct stat info{};
    if (!identity.foreign && stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) identity.script = path;
    return;
  }
}

}  // namespace owners
