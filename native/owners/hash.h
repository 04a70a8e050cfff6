// Hashes executables in a thread of its own and remembers them.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>

#include "bpf.h"

struct stat;

namespace owners {

// Larger files have no hash, and so match no rule that needs one.
constexpr uint64_t kMaxHashed = uint64_t{1} << 30;

// SHA-256 (FIPS 180-4) in hex of the file at `fd`, from its beginning; empty when it can't be read.
std::string sha256(int fd);

// What a hash was made of; a file that changes gets another one.
struct FileState {
  uint64_t device, inode, size, changedNs;
  auto operator<=>(const FileState&) const = default;
};

FileState stateOf(const struct stat& info);

class Hasher {
 public:
  using Done = std::function<void(const std::string& hash)>;

  ~Hasher();
  // 0 or errno.
  int open();
  // Calls `done` at once when the hash is known, else from a later `finish`. "" when there is none. `file` may be invalid when the
  // same hash was asked for before.
  void hash(Descriptor file, const FileState& state, Done done);
  // Readable when `finish` has something to do.
  int fd() const { return ready_.get(); }
  void finish();

 private:
  struct Task {
    Descriptor file;
    FileState state;
    std::string hash;
  };
  void run();

  Descriptor ready_;
  std::thread thread_;
  std::mutex lock_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::deque<Task> waiting_, finished_;
  // Of the caller's thread.
  std::map<FileState, std::string> known_;
  std::map<FileState, std::deque<Done>> asked_;
};

}  // namespace owners
