// What of the machine policy a client of the user's must not be able to pass over. The engine reads all of it (engine/service/policy.ts).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace policy {

// Exactly one of `path`, `flatpak` and `snap` is not empty.
struct Application {
  std::string path, flatpak, snap;
  std::optional<uint32_t> user;  // nothing: every user
  std::string hash;              // SHA-256 in hex; empty: whatever it holds
};

struct Policy {
  // Teredo is off: `state` is `disabled`, `enabled` is locked to false, or a file can't be understood.
  bool off = false;
  // Every packet must be some allowed program's: `exposeAll` is locked to false, or there are forbidden applications.
  bool closed = false;
  std::vector<Application> forbidden;
};

// A longer file can't be understood.
constexpr size_t kMaxFileBytes = 256 << 10;
constexpr size_t kMaxFiles = 256;
constexpr size_t kMaxForbidden = 4096;

// What files said so far. Of two that set one value the later rules.
class Merger {
 public:
  // The text of one file.
  void add(std::string_view text);
  // A file that is root's and could not be read.
  void addDamaged() { damaged_ = true; }
  Policy result() const;

 private:
  bool addWhole(std::string_view text);
  bool damaged_ = false;
  bool disabled_ = false;
  std::optional<bool> enabled_, exposeAll_;
  std::vector<Application> forbidden_;
};

// Reads every `*.json` of `directory` that belongs to root, with the folder and the folder above it, and that nobody else can
// write; the others are left out, for anybody could have written them.
Policy readPolicy(const std::string& directory);

constexpr const char* kDirectory = "/etc/shipworm/policy.d";

// Reads it, and again whenever something changes.
class Watched {
 public:
  Watched() = default;
  ~Watched();
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  // Begins to watch, and reads.
  void open(const std::string& directory = kDirectory);
  const Policy& now() const { return policy_; }
  // Readable when something changed; -1 when the system can't tell that.
  int fd() const { return fd_; }
  // To be called then. False when nothing is to be read yet: a file that was only made says nothing before it was written.
  bool reread();

 private:
  void watch();
  bool takeEvents() const;
  std::string directory_;
  Policy policy_;
  int fd_ = -1;
};

}  // namespace policy
