// fanotify tells of an exec as the file is opened for it: the process is looked at until it runs the file.
#include "starts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace owners {

namespace {

// After the open of the file, ms: an exec takes well below the first; the last is for a loaded machine.
constexpr uint64_t kTriesMs[] = {1, 4, 20, 100};
constexpr uint64_t kSweepNs = 2'000'000'000;
constexpr size_t kMaxRunning = 1024;

Identity identityOf(int fd) {
  Identity identity;
  char text[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = readlink(link.c_str(), text, sizeof text);
  struct stat info{};
  if (length <= 0 || length == static_cast<ssize_t>(sizeof text) || fstat(fd, &info) < 0) return identity;
  identity.path.assign(text, static_cast<size_t>(length));
  identity.hasFile = true;
  identity.file = stateOf(info);
  identity.writable = writableBySomebody(identity.path, info);
  return identity;
}

}  // namespace

void Starts::open() {
  fan_.reset(fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_LARGEFILE | O_CLOEXEC));
}

void Starts::watch(const std::vector<std::string>& paths, const std::vector<std::pair<pid_t, uint64_t>>& processes, std::set<std::pair<GroupKind, std::string>> groups) {
  groups_ = std::move(groups);
  for (const auto& [path, file] : watched_)
    if (fan_.valid() && std::find(paths.begin(), paths.end(), path) == paths.end())
      fanotify_mark(fan_.get(), FAN_MARK_REMOVE, FAN_OPEN_EXEC, AT_FDCWD, path.c_str());
  watched_.clear();
  files_.clear();
  for (const std::string& path : paths) {
    struct stat info{};
    if (!path.starts_with('/') || stat(path.c_str(), &info) < 0 || !S_ISREG(info.st_mode)) continue;
    watched_[path] = {info.st_dev, info.st_ino};
    files_.insert({info.st_dev, info.st_ino});
    if (fan_.valid()) fanotify_mark(fan_.get(), FAN_MARK_ADD, FAN_OPEN_EXEC, AT_FDCWD, path.c_str());
  }
  sweepProcesses();
  for (const auto& [pid, started] : processes)
    if (!follow(pid, started)) told_.ended(pid, started);
}

// False when that process is gone.
bool Starts::follow(pid_t pid, uint64_t startedMs) {
  const auto known = running_.find(pid);
  if (known != running_.end() && known->second.startedMs == startedMs) return true;
  Descriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid() || ProcessView(pid).startedMs() != startedMs) return false;
  if (running_.size() < kMaxRunning) running_.insert_or_assign(pid, Running{std::move(pidfd), startedMs});
  return true;
}

void Starts::readStarted() {
  if (!fan_.valid()) return;
  alignas(fanotify_event_metadata) char bytes[8192];
  for (;;) {
    const ssize_t got = read(fan_.get(), bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    auto left = static_cast<int>(got);
    for (auto* item = reinterpret_cast<const fanotify_event_metadata*>(bytes); FAN_EVENT_OK(item, left); item = FAN_EVENT_NEXT(item, left)) {
      // Some were lost: whoever runs is found by looking.
      if (item->mask & FAN_Q_OVERFLOW) sweepProcesses();
      Descriptor file(item->fd);
      if (!file.valid() || item->pid <= 0) continue;
      const Identity identity = identityOf(file.get());
      const pid_t pid = item->pid;
      waiting_.push_back({pid, identity.file.device, identity.file.inode, 0, bootNs() + kTriesMs[0] * 1'000'000});
      finder_.noteExec(pid, identity, std::move(file));
    }
  }
}

void Starts::confirm(pid_t pid) {
  const ProcessView process(pid);
  Identity identity;
  if (!process.valid() || !process.identify(identity) || !process.user(identity.user) || !isWatched(identity)) return;
  const uint64_t started = process.startedMs();
  if (!started || !follow(pid, started)) return;
  finder_.hashIfDue(identity, process.openFile(identity));
  auto owner = std::make_shared<Owner>();
  owner->identities.push_back(identity);
  finder_.complete(owner, [this, pid, started](const OwnerPointer& found) {
    if (!found->identities[0].path.empty()) told_.began(pid, started, found->identities[0]);
  });
}

void Starts::tick() {
  const uint64_t now = bootNs();
  for (size_t i = 0; i < waiting_.size();) {
    Waiting& one = waiting_[i];
    if (one.atNs > now) {
      i++;
      continue;
    }
    const ProcessView process(one.pid);
    struct stat info{};
    const bool runs = process.valid() && fstatat(process.directory().get(), "exe", &info, 0) == 0 && info.st_dev == one.device && info.st_ino == one.inode;
    if (runs) confirm(one.pid);
    if (runs || !process.valid() || ++one.tries == static_cast<int>(std::size(kTriesMs))) {
      waiting_.erase(waiting_.begin() + static_cast<long>(i));
      continue;
    }
    one.atNs = now + kTriesMs[one.tries] * 1'000'000;
    i++;
  }
  if (sweeps() && !files_.empty() && now >= sweepNs_) sweepProcesses();
}

void Starts::sweepProcesses() {
  sweepNs_ = bootNs() + kSweepNs;
  if (files_.empty()) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  while (const dirent* entry = folder ? readdir(folder.get()) : nullptr) {
    const auto pid = static_cast<pid_t>(strtol(entry->d_name, nullptr, 10));
    struct stat info{};
    if (pid <= 0 || fstatat(dirfd(folder.get()), (std::string(entry->d_name) + "/exe").c_str(), &info, 0) < 0) continue;
    if (files_.contains({info.st_dev, info.st_ino})) confirm(pid);
  }
}

void Starts::addTo(std::vector<pollfd>& items) const {
  for (const auto& [pid, process] : running_) items.push_back({process.pidfd.get(), POLLIN, 0});
}

void Starts::ended(int pidfd) {
  const auto found = std::find_if(running_.begin(), running_.end(), [&](const auto& item) { return item.second.pidfd.get() == pidfd; });
  if (found == running_.end()) return;
  told_.ended(found->first, found->second.startedMs);
  running_.erase(found);
}

uint64_t Starts::nextNs() const {
  uint64_t next = sweeps() && !files_.empty() ? sweepNs_ : 0;
  for (const Waiting& one : waiting_)
    if (!next || one.atNs < next) next = one.atNs;
  return next;
}

}  // namespace owners
