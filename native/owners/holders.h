// Finds the processes that hold a socket, by its inode in their descriptors: for sockets whose making nobody recorded.
#pragma once
#include <dirent.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

namespace owners {

struct FolderCloser {
  void operator()(DIR* folder) const { closedir(folder); }
};
using Folder = std::unique_ptr<DIR, FolderCloser>;

// Time that searches may take: what is used up comes back by and by, so that a flood of packets can't keep us searching.
class SearchBudget {
 public:
  bool left(uint64_t nowNs);
  void use(uint64_t ns) { usedNs_ += ns; }

 private:
  uint64_t usedNs_ = 0, lastNs_ = 0;
};

using Holders = std::map<uint32_t, std::vector<pid_t>>;

// Holders of each inode of `inodes`. Looks at the processes of `user` first and at the others only for what is then still nobody's.
// Incomplete (`complete` false) when the budget ran out: then nothing may be concluded.
Holders findHolders(const std::set<uint32_t>& inodes, uint32_t user, SearchBudget& budget, bool& complete);

// CLOCK_BOOTTIME, as the kernel stamps sockets.
uint64_t bootNs();

}  // namespace owners
