// Says who a process is: its file, user, group and namespace, as the kernel tells them; never from its environment.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "../policy/policy.h"
#include "bpf.h"
#include "hash.h"

namespace owners {

enum class GroupKind : uint8_t { none = 0, flatpak = 1, snap = 2, appimage = 3, systemd = 4, container = 5, run = 6 };

struct Identity {
  uint32_t user = 0;
  std::string path;  // empty: not found out
  bool hasFile = false;
  FileState file{};
  std::string hash;  // SHA-256 in hex
  GroupKind group = GroupKind::none;
  std::string groupId;
  bool writable = false, replaced = false, foreign = false;
  std::string script;
  pid_t content = 0;  // the process whose executable `file` is: of an AppImage the one that serves it, else 0
};

// A process held by its directory in /proc: when it ends, reading fails, and nobody who gets its number is taken for it.
class ProcessView {
 public:
  // Invalid when there is no such process.
  explicit ProcessView(pid_t pid);
  bool valid() const { return directory_.valid(); }
  pid_t pid() const { return pid_; }
  // Start, ms of CLOCK_BOOTTIME in steps of the kernel's tick (10 ms); 0 when it is gone.
  uint64_t startedMs() const;
  std::string comm() const;
  // Effective user; false when it is gone.
  bool user(uint32_t& user) const;
  // False when it is gone, has no file (a kernel thread, a zombie), or ran another file meanwhile. `identity.user` is left alone.
  bool identify(Identity& identity) const;
  // The file that `identify` found, opened for reading; also when it was deleted.
  Descriptor openFile(const Identity& identity) const;
  const Descriptor& directory() const { return directory_; }

 private:
  std::string readAll(const char* name, size_t limit) const;
  std::string link(const char* name) const;
  bool isForeign(const Identity& identity, bool deleted) const;
  void findGroup(Identity& identity) const;
  void findScript(Identity& identity) const;

  pid_t pid_;
  Descriptor directory_;
};

// `file`, at `path`, or a folder on its way can be written by somebody who is not root.
bool writableBySomebody(const std::string& path, const struct stat& file);

// Does the machine policy forbid this program? One that is forbidden by its path is so in whatever state its file is.
bool isForbidden(const policy::Policy& policy, const Identity& identity);

// Group by the lines of /proc/<pid>/cgroup and the path of the file. `none` when they name none.
GroupKind groupOf(const std::string& cgroups, const std::string& path, std::string& id);

}  // namespace owners
