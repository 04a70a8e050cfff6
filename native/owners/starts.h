// Sees watched files begin to run, by fanotify, and their processes end, by pidfd; where there is no fanotify, it sweeps.
#pragma once
#include <poll.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bpf.h"
#include "finder.h"
#include "identity.h"

namespace owners {

class Starts {
 public:
  struct Told {
    std::function<void(pid_t, uint64_t startedMs, const Identity&)> began;
    std::function<void(pid_t, uint64_t startedMs)> ended;
  };
  explicit Starts(Finder& finder) : finder_(finder) {}
  // Needs CAP_SYS_ADMIN; without it `sweeps` is true and `tick` must be called each few seconds.
  void open();
  bool sweeps() const { return !fan_.valid(); }
  void tellTo(Told told) { told_ = std::move(told); }
  // Replaces the lists. Whoever runs one of the files already is told at once; of `processes` (by start) only the end is told.
  void watch(const std::vector<std::string>& paths, const std::vector<std::pair<pid_t, uint64_t>>& processes, std::set<std::pair<GroupKind, std::string>> groups);
  // By its file or its group.
  bool isWatched(const Identity& identity) const {
    return (identity.hasFile && files_.contains({identity.file.device, identity.file.inode})) || groups_.contains({identity.group, identity.groupId});
  }
  // Some program whose listeners are to be told runs, as far as can be known.
  bool someMayListen() const { return !running_.empty() || !groups_.empty(); }
  // Reads what began. Before anything is concluded from a socket's making.
  void readStarted();
  void tick();

  int fd() const { return fan_.get(); }
  // Descriptors that are readable as a process ends; `ended` is to be called with each that is.
  void addTo(std::vector<pollfd>& items) const;
  void ended(int pidfd);
  // When `tick` is wanted next, ns of CLOCK_BOOTTIME; 0: not at all.
  uint64_t nextNs() const;

 private:
  struct Running {
    Descriptor pidfd;
    uint64_t startedMs;
  };
  struct Waiting {
    pid_t pid;
    uint64_t device, inode;
    int tries;
    uint64_t atNs;
  };
  void confirm(pid_t pid);
  bool follow(pid_t pid, uint64_t startedMs);
  void sweepProcesses();

  Finder& finder_;
  Told told_;
  Descriptor fan_;
  std::map<std::string, std::pair<uint64_t, uint64_t>> watched_;  // path -> device, inode
  std::set<std::pair<uint64_t, uint64_t>> files_;
  std::set<std::pair<GroupKind, std::string>> groups_;
  std::map<pid_t, Running> running_;
  std::vector<Waiting> waiting_;
  uint64_t sweepNs_ = 0;
};

}  // namespace owners
