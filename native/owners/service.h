// Answers one engine about owners of sockets, and keeps the verdicts of the kernel's tables for it.
#pragma once
#include <sys/types.h>

#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "../policy/policy.h"
#include "diag.h"
#include "finder.h"
#include "frames.h"
#include "hash.h"
#include "programs.h"
#include "ring.h"
#include "starts.h"
#include "subjects.h"
#include "tables.h"

namespace owners {

struct Start {
  uint32_t interface;
  Subjects subjects;
  uint32_t programs;  // 0: do without, as a kernel would that has none
};

// From the session, which alone knows what is on the adapter.
struct AddressOrder {
  bool add;
  Address address;
};

class Service {
 public:
  Service(int engine, const Start& start);
  // Opens what needs privileges. False: not even sock_diag can be had.
  bool open();
  // Serves until the engine or `session` (a socket) is gone.
  void run(int session);

 private:
  bool readEngine();
  bool handle(const uint8_t* bytes, size_t length);
  bool readSession(int session);
  void setVerdict(Reader& reader);
  void tellApplied(uint32_t id);
  void judge(uint64_t root, std::function<void(bool)> then);
  void policyChanged();
  void applyVerdict(uint64_t cookie, const SocketVerdict& verdict, std::vector<uint16_t> ports);
  void watch(Reader& reader);
  void resolve(Reader& reader);
  bool adopt(const FlowKey& flow, uint64_t cookie);
  void resolveClosed(uint32_t id, uint64_t cookie);
  void resolveByDiag(uint32_t id, const FlowKey& flow);
  void release(const FlowKey& flow);
  void forget(uint64_t root);
  void listListeners(uint32_t id);
  void answer(uint32_t id, uint64_t cookie, bool found, const OwnerPointer& owner);

  void onEvent(const Event& event);
  void onClosed(uint64_t cookie, const SocketRecord& record);
  void dropVerdict(uint64_t root);
  void tellClosed(uint64_t root);
  void sweep();
  void sweepFlows(const Map& map, const std::unordered_set<uint64_t>& living);
  void recheck();
  void refreshListeners();
  void tellListener(const SocketRow& row, bool listening);
  void ownerOf(const SocketRow& row, Finder::Found found);
  void readDestroyed();
  void planSweep();
  void send(Writer& writer);
  // What may wait for others a little.
  void sendSoon(Writer& writer);
  bool flush();

  const int engine_;
  const Start start_;
  bool programs_ = false;
  std::string why_;  // there are no programs
  Tables tables_;
  Programs loaded_;
  EventRing ring_;
  Diag diag_;
  Hasher hasher_;
  Finder finder_;
  Starts starts_;

  std::vector<uint8_t> in_, out_;
  bool broken_ = false;
  uint64_t holdUntilNs_ = 0;  // all of `out_` may wait; 0: it may not
  bool stirred_ = false;      // something happened that a sweep cleans up after
  std::unordered_map<uint64_t, std::unordered_set<uint64_t>> living_;  // root -> its sockets
  policy::Watched policy_;
  std::unordered_map<uint64_t, uint32_t> newest_;                // root -> id of the last verdict that came, while it waits for its owner
  std::unordered_map<uint64_t, std::vector<uint16_t>> reach_;    // root with a verdict -> ports in the table
  struct Closed {
    SocketRecord record;
    uint64_t atNs;
  };
  std::unordered_map<uint64_t, Closed> closed_;                  // a moment ago
  std::unordered_set<uint64_t> forgotten_;                       // closed, and the engine has no flow of it any more
  std::unordered_map<uint64_t, std::vector<FlowKey>> flows_;     // root -> flows that were asked about
  std::vector<std::pair<FlowKey, uint64_t>> answered_;           // without programs: flows to look at again
  std::unordered_map<uint64_t, std::pair<OwnerPointer, uint64_t>> searched_;  // without programs: cookie -> holders, until when
  std::map<uint64_t, SocketRow> listening_;
  std::unordered_set<uint64_t> toldListening_;
  uint64_t listenersAtNs_ = 0, sweepAtNs_ = 0;
};

}  // namespace owners
