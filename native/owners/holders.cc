// Reads the descriptors of processes in /proc.
#include "holders.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace owners {

namespace {

// A tenth of a core on the whole, and no more than this at once.
constexpr uint64_t kShare = 10;
constexpr uint64_t kAtOnceNs = 200'000'000;

void searchProcess(pid_t pid, const std::set<uint32_t>& inodes, Holders& found) {
  const Folder folder(opendir(("/proc/" + std::to_string(pid) + "/fd").c_str()));
  if (!folder) return;
  while (const dirent* entry = readdir(folder.get())) {
    char text[64];
    const ssize_t length = readlinkat(dirfd(folder.get()), entry->d_name, text, sizeof text - 1);
    constexpr size_t kHead = sizeof "socket:[" - 1;
    if (length <= static_cast<ssize_t>(kHead) || std::strncmp(text, "socket:[", kHead) != 0) continue;
    text[length] = 0;
    const auto inode = static_cast<uint32_t>(strtoul(text + kHead, nullptr, 10));
    if (!inodes.contains(inode)) continue;
    auto& pids = found[inode];
    if (std::find(pids.begin(), pids.end(), pid) == pids.end()) pids.push_back(pid);
  }
}

}  // namespace

uint64_t bootNs() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

bool SearchBudget::left(uint64_t nowNs) {
  const uint64_t regained = (nowNs - lastNs_) / kShare;
  usedNs_ = usedNs_ > regained ? usedNs_ - regained : 0;
  lastNs_ = nowNs;
  return usedNs_ < kAtOnceNs;
}

Holders findHolders(const std::set<uint32_t>& inodes, uint32_t user, SearchBudget& budget, bool& complete) {
  Holders found;
  std::vector<pid_t> first, rest;
  const uint64_t begin = bootNs();
  complete = budget.left(begin);
  const Folder folder(complete ? opendir("/proc") : nullptr);
  while (const dirent* entry = folder ? readdir(folder.get()) : nullptr) {
    const auto pid = static_cast<pid_t>(strtol(entry->d_name, nullptr, 10));
    struct stat info{};
    if (pid <= 0 || fstatat(dirfd(folder.get()), entry->d_name, &info, 0) < 0) continue;
    (info.st_uid == user ? first : rest).push_back(pid);
  }
  const auto search = [&](std::vector<pid_t>& pids) {
    // The newest are the likeliest, but every one must be looked at: all who hold it count.
    std::sort(pids.rbegin(), pids.rend());
    for (const pid_t pid : pids) {
      if (bootNs() - begin > kAtOnceNs) {
        complete = false;
        return;
      }
      searchProcess(pid, inodes, found);
    }
  };
  search(first);
  if (complete && std::any_of(inodes.begin(), inodes.end(), [&](uint32_t inode) { return !found.contains(inode); })) search(rest);
  budget.use(bootNs() - begin);
  return found;
}

}  // namespace owners
