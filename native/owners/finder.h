// Finds who owns a socket: its maker where the kernel recorded it, else everybody who holds it.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "diag.h"
#include "frames.h"
#include "hash.h"
#include "holders.h"
#include "identity.h"
#include "subjects.h"
#include "tables.h"

namespace owners {

enum class Confidence : uint8_t { exact = 0, shared = 1, inferred = 2, unknown = 3 };

struct Owner {
  std::vector<Identity> identities;
  pid_t pid = 0;
  uint64_t startedMs = 0;
  std::string comm;
  Confidence confidence = Confidence::unknown;
};
using OwnerPointer = std::shared_ptr<Owner>;

// A process seen to begin a file that is watched: it names a maker that was gone before it was looked at.
struct SeenExec {
  Identity identity;
  uint64_t atNs = 0;
};

// Of processes of users whom `subjects` does not name only the user is told.
class Finder {
 public:
  Finder(const Tables& tables, Diag& diag, Hasher& hasher, const Subjects& subjects)
      : tables_(tables), diag_(diag), hasher_(hasher), subjects_(subjects) {}

  // Called before a maker that is gone is given up: reads what programs were begun.
  void readStartsBy(std::function<void()> read) { readStarts_ = std::move(read); }
  // A socket was made: look at its maker while it is there.
  void made(const SocketRecord& record);
  void forget(uint64_t root);
  // Notes sockets that are older than the programs, so that they are not taken for unknown ones.
  void noteOlder();
  // Notes one that no program made by a call that was seen; its owner is whoever holds it. False when there is no room.
  bool adopt(const SocketRow& row);
  // Connections among what it noted: no program tells their true end.
  bool hasOlderConnections() const { return olderConnections_ > 0; }
  void noteExec(pid_t pid, const Identity& identity, Descriptor file);
  void hashIfDue(const Identity& identity, Descriptor file);

  // Calls back, perhaps later, with the owner of the recorded socket; null when it can't be found out.
  using Found = std::function<void(OwnerPointer)>;
  void recorded(const SocketRecord& record, Found found);
  // All holders of these sockets: who shares a port can't be told apart from outside.
  void holding(const std::vector<SocketRow>& rows, Found found);
  // Fills in what hashes are due, and takes out what the client may not know.
  void complete(OwnerPointer owner, Found found);

 private:
  struct Look {
    Identity identity;
    uint64_t startedMs = 0, execNs = 0;
  };
  OwnerPointer look(const SocketRecord& record);
  OwnerPointer fromExec(const SocketRecord& record);

  const Tables& tables_;
  Diag& diag_;
  Hasher& hasher_;
  const Subjects subjects_;
  std::function<void()> readStarts_;
  SearchBudget budget_;
  std::unordered_map<pid_t, Look> looks_;
  std::unordered_map<uint64_t, OwnerPointer> makers_;  // by cookie
  std::unordered_map<uint64_t, SocketRow> older_;      // by cookie
  size_t olderConnections_ = 0;
  std::unordered_map<pid_t, std::vector<SeenExec>> execs_;
};

void writeOwner(Writer& writer, const Owner& owner);
void writeIdentity(Writer& writer, const Identity& identity);

}  // namespace owners
