// Finds the AppImage that a process runs from: the file whose own program serves the file system (FUSE) in which the executable lies.
#pragma once
#include <sys/types.h>

#include <string>

namespace owners {

// The process that serves the mount in which `path` lies, if its executable is an AppImage (type 1 or 2 of its specification); 0 when
// there is none, or more than one might be it. `mountinfo`: /proc/<pid>/mountinfo of the process that runs `path`.
pid_t appImageServer(const std::string& mountinfo, const std::string& path);

}  // namespace owners
