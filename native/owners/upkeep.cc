// What the service keeps in order: sockets that close, tables that must not fill with the dead, listeners that come and go.
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>

#include <algorithm>

#include "service.h"

namespace owners {

namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kSweepNs = 5 * kSecond;
// A closed socket may still be asked about for as long.
constexpr uint64_t kClosedNs = 2 * kSecond;
// A burst of binds gives one look at the listeners.
constexpr uint64_t kListenersNs = kSecond / 20;

bool waits(const SocketRow& row) {
  return row.localPort != 0 && (row.protocol == IPPROTO_TCP ? row.state == kStateListen : row.state == kStateClose);
}

// Only there packets of the tunnel can come: the wildcard address, and Teredo's (RFC 4380 §4).
bool hearsTheTunnel(const SocketRow& row) {
  static constexpr uint8_t kPrefix[] = {0x20, 0x01, 0, 0};
  return row.local == Address{} || std::equal(std::begin(kPrefix), std::end(kPrefix), row.local.begin());
}

}  // namespace

void Service::onEvent(const Event& event) {
  stirred_ = true;
  switch (event.kind) {
    case EventKind::made:
      living_[event.socket.root].insert(event.cookie);
      if (event.cookie == event.socket.root) finder_.made(event.socket);
      break;
    case EventKind::closed:
      onClosed(event.cookie, event.socket);
      break;
    case EventKind::denied: {
      Writer frame(Kind::attempt);
      frame.u64(event.cookie).flow(event.flow).u32(event.port);
      send(frame);
      break;
    }
    case EventKind::listens:
      if (!listenersAtNs_) listenersAtNs_ = bootNs() + kListenersNs;
      break;
  }
}

void Service::onClosed(uint64_t cookie, const SocketRecord& record) {
  stirred_ = true;
  const uint64_t root = record.root;
  if (closed_.size() < kMaxSockets) closed_[cookie] = {record, bootNs()};
  const auto listener = listening_.find(cookie);
  if (listener != listening_.end()) {
    const SocketRow row = listener->second;
    listening_.erase(listener);
    tellListener(row, false);
  }
  const auto found = living_.find(root);
  if (found == living_.end()) return;
  found->second.erase(cookie);
  if (!found->second.empty()) return;
  living_.erase(found);
  tellClosed(root);
}

void Service::tellClosed(uint64_t root) {
  dropVerdict(root);
  Writer frame(Kind::closed);
  frame.u64(root);
  // Without programs the engine's table alone keeps others off the flows of that socket.
  if (!programs_) return send(frame);
  sendSoon(frame);
}

void Service::dropVerdict(uint64_t root) {
  if (!programs_) return;
  tables_.verdicts.erase(&root);
  const auto ports = reach_.find(root);
  if (ports == reach_.end()) return;
  for (const uint16_t port : ports->second) {
    const ReachKey key{root, port, 0};
    tables_.reach.erase(&key);
  }
  reach_.erase(ports);
}

// Connections older than the programs; without programs all.
void Service::readDestroyed() {
  const bool all = diag_.readGone([this](uint64_t cookie) {
    SocketRecord record;
    if (!programs_) {
      const bool known = std::any_of(answered_.begin(), answered_.end(), [&](const auto& item) { return item.second == cookie; });
      std::erase_if(answered_, [&](const auto& item) { return item.second == cookie; });
      if (known) tellClosed(cookie);
    } else if (tables_.sockets.lookup(&cookie, &record) == 0 && tables_.sockets.erase(&cookie) == 0) {
      onClosed(cookie, record);
    }
    if (const auto listener = listening_.find(cookie); listener != listening_.end()) {
      const SocketRow row = listener->second;
      listening_.erase(listener);
      tellListener(row, false);
    }
  });
  if (!all) sweepAtNs_ = bootNs();
}

// Without programs nothing tells what begins to listen, nor surely what ends.
void Service::planSweep() {
  const bool due = programs_ ? stirred_ : !answered_.empty() || starts_.someMayListen();
  if (due && !sweepAtNs_) sweepAtNs_ = bootNs() + kSweepNs;
}

// What the events left behind, and what of them was lost. Rests when nothing happened since the last time.
void Service::sweep() {
  sweepAtNs_ = 0;
  if (!programs_) {
    listenersAtNs_ = bootNs();
    return recheck();
  }
  decltype(living_) living;
  std::unordered_set<uint64_t> cookies;
  tables_.sockets.each<uint64_t, SocketRecord>([&](uint64_t cookie, const SocketRecord& record) {
    living[record.root].insert(cookie);
    cookies.insert(cookie);
  });
  std::vector<uint64_t> gone;
  for (const auto& [root, sockets] : living_)
    if (!living.contains(root)) gone.push_back(root);
  living_ = std::move(living);
  for (const uint64_t root : gone) tellClosed(root);
  std::erase_if(closed_, [&](const auto& item) {
    const bool old = item.second.atNs + kClosedNs < bootNs();
    if (old && !living_.contains(item.second.record.root)) finder_.forget(item.second.record.root);
    return old;
  });
  for (const uint64_t root : gone)
    if (!closed_.contains(root)) finder_.forget(root);
  std::erase_if(flows_, [&](const auto& item) { return !living_.contains(item.first); });
  sweepFlows(tables_.sent, cookies);
  sweepFlows(tables_.met, cookies);
  forgotten_.clear();
  tables_.processes.each<uint32_t, uint64_t>([&](uint32_t tgid, uint64_t) {
    if (kill(static_cast<pid_t>(tgid), 0) < 0 && errno == ESRCH) tables_.processes.erase(&tgid);
  });
  stirred_ = !closed_.empty();
}

// A flow's entry keeps other sockets off the engine's entry for the same flow: it goes after that one went. `living`: the sockets of a
// moment ago.
void Service::sweepFlows(const Map& map, const std::unordered_set<uint64_t>& living) {
  map.each<FlowKey, uint64_t>([&](const FlowKey& flow, uint64_t cookie) {
    SocketRecord record;
    if (living.contains(cookie) || tables_.sockets.lookup(&cookie, &record) == 0) return;
    // A listener's child has no entry in the engine's table that another socket could hit: two TCP sockets never share a flow.
    if (forgotten_.contains(cookie) || (&map == &tables_.met && flow.protocol == IPPROTO_TCP)) map.erase(&flow);
  });
}

// Without programs: does each flow still belong to the socket that was named for it?
void Service::recheck() {
  std::vector<uint64_t> gone;
  for (const auto& [flow, cookie] : answered_) {
    const auto row = diag_.exact(flow, start_.interface);
    if (!row || row->cookie != cookie) gone.push_back(cookie);
  }
  std::sort(gone.begin(), gone.end());
  gone.erase(std::unique(gone.begin(), gone.end()), gone.end());
  for (const uint64_t cookie : gone) {
    std::erase_if(answered_, [&](const auto& item) { return item.second == cookie; });
    tellClosed(cookie);
  }
}

void Service::ownerOf(const SocketRow& row, Finder::Found found) {
  SocketRecord record;
  if (!programs_) finder_.holding({row}, std::move(found));
  else if (tables_.sockets.lookup(&row.cookie, &record) == 0 ||
           (row.inode != 0 && finder_.adopt(row) && tables_.sockets.lookup(&row.cookie, &record) == 0))
    finder_.recorded(record, std::move(found));
  else found(nullptr);
}

void Service::refreshListeners() {
  listenersAtNs_ = 0;
  std::map<uint64_t, SocketRow> now;
  for (const auto& [protocol, state] : {std::pair<uint8_t, uint8_t>{IPPROTO_TCP, kStateListen}, {IPPROTO_UDP, kStateClose}})
    for (const SocketRow& row : diag_.all(protocol, 1U << state))
      if (waits(row)) now.emplace(row.cookie, row);
  const auto before = std::move(listening_);
  listening_ = now;
  for (const auto& [cookie, row] : before)
    if (!now.contains(cookie)) tellListener(row, false);
  for (const auto& [cookie, row] : now)
    if (!before.contains(cookie)) tellListener(row, true);
}

namespace {
void writeListener(Writer& frame, const SocketRow& row, const OwnerPointer& owner) {
  frame.u64(row.cookie).u8(row.protocol).u16(row.localPort).address(row.local).u8(row.v6only).u8(owner != nullptr);
  if (owner) writeOwner(frame, *owner);
}
}  // namespace

void Service::tellListener(const SocketRow& row, bool listening) {
  const auto tell = [this, row, listening](const OwnerPointer& owner) {
    Writer frame(Kind::listener);
    frame.u8(listening);
    writeListener(frame, row, owner);
    send(frame);
  };
  if (!listening) {
    if (toldListening_.erase(row.cookie)) tell(nullptr);
    return;
  }
  if (!hearsTheTunnel(row)) return;
  // Nobody asked about the others.
  ownerOf(row, [this, tell, cookie = row.cookie](const OwnerPointer& owner) {
    if (owner && std::any_of(owner->identities.begin(), owner->identities.end(), [&](const Identity& one) { return starts_.isWatched(one); }))
      if (toldListening_.insert(cookie).second) tell(owner);
  });
}

void Service::listListeners(uint32_t id) {
  refreshListeners();
  struct Listing {
    std::vector<std::pair<SocketRow, OwnerPointer>> rows;
    size_t missing;
  };
  const auto listing = std::make_shared<Listing>();
  listing->missing = listening_.size() + 1;
  const auto done = [this, id, listing] {
    if (--listing->missing) return;
    Writer frame(Kind::listening);
    frame.u32(id).u16(static_cast<uint16_t>(listing->rows.size()));
    for (const auto& [row, owner] : listing->rows) writeListener(frame, row, owner);
    send(frame);
  };
  for (const auto& [cookie, row] : std::map(listening_))
    ownerOf(row, [listing, row, done](const OwnerPointer& owner) {
      listing->rows.emplace_back(row, owner);
      done();
    });
  done();
}

}  // namespace owners
