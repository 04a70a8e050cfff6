// Makes this machine forward IPv6 between the adapter and one other interface for a relay, and undoes it however the processes end.
#pragma once
#include <string>
#include <vector>

#include "protocol.h"

namespace helper {

// This process changes the settings; a guard puts them back: a child that waits for this process's end and so outlives even
// its kill -9. Should the guard be killed first, `restore` is for this process.
class Forwarding {
 public:
  Forwarding() = default;
  ~Forwarding();
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;

  // Once. On failure everything is as it was.
  Answer start(const std::string& adapter, const std::string& native, Forward how);
  // Hangs up when the guard is gone; -1 without one.
  int guardFd() const { return guard_; }
  void restore();

 private:
  // One setting to write; `only`: unless it has another value by now, which somebody else set (empty: in any case).
  struct Write {
    std::string path, value, only;
  };

  bool lock();
  void plan(const std::string& adapter, const std::string& native, Forward how);
  bool startGuard();

  int lock_ = -1;
  int guard_ = -1;
  std::vector<Write> on_, off_;
};

}  // namespace helper
