// Looks at makers and holders of sockets.
#include "finder.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace owners {

namespace {

constexpr size_t kMaxLooks = 8192, kMaxExecs = 4096;
// A maker that was gone may be named by its exec for as long.
constexpr uint64_t kExecNs = 60'000'000'000;
constexpr size_t kCommLength = 15;

bool isConnection(const SocketRow& row) { return row.protocol == IPPROTO_TCP && row.state != kStateListen; }

// A process can rewrite its arguments; only in a group of its own it is what was started there.
bool goesByArguments(const Identity& identity) { return !identity.script.empty() && identity.group != GroupKind::run; }

std::string shortName(const std::string& path) { return path.substr(path.rfind('/') + 1).substr(0, kCommLength); }
std::string commOf(const SocketRecord& record) { return std::string(record.comm, strnlen(record.comm, sizeof record.comm)); }

}  // namespace

// The maker is the image that ran as the socket was made: a later exec, or a later process of the same number, is not it. The kernel
// notes the time of the last exec; it must be before the socket's, and the same before and after the look.
OwnerPointer Finder::look(const SocketRecord& record) {
  const auto pid = static_cast<pid_t>(record.tgid);
  const auto lastExec = [&](uint64_t& at) { return tables_.processes.lookup(&record.tgid, &at) == 0 && at < record.madeNs; };
  uint64_t before = 0, after = 0;
  if (!lastExec(before)) return nullptr;
  const ProcessView process(pid);
  const uint64_t started = process.valid() ? process.startedMs() : 0;
  if (!started || started > record.madeNs / 1'000'000) return nullptr;
  auto owner = std::make_shared<Owner>();
  const auto seen = looks_.find(pid);
  if (seen != looks_.end() && seen->second.startedMs == started && seen->second.execNs == before) {
    owner->identities.push_back(seen->second.identity);
  } else {
    Identity identity;
    if (!process.identify(identity)) return nullptr;
    if (!lastExec(after) || after != before || process.startedMs() != started) return nullptr;
    if (looks_.size() >= kMaxLooks) looks_.clear();
    looks_[pid] = {identity, started, before};
    hashIfDue(identity, process.openFile(identity));
    owner->identities.push_back(identity);
  }
  owner->identities[0].user = record.user;
  owner->pid = pid;
  owner->startedMs = started;
  owner->comm = commOf(record);
  owner->confidence = Confidence::exact;
  return owner;
}

// Gone before it was looked at. The only file it was seen to begin names it, if its short name is still that file's.
OwnerPointer Finder::fromExec(const SocketRecord& record) {
  const auto found = execs_.find(static_cast<pid_t>(record.tgid));
  if (found == execs_.end()) return nullptr;
  const auto& seen = found->second;
  if (seen.size() != 1 || seen[0].atNs + kExecNs < record.madeNs || shortName(seen[0].identity.path) != commOf(record)) return nullptr;
  auto owner = std::make_shared<Owner>();
  owner->identities.push_back(seen[0].identity);
  owner->identities[0].user = record.user;
  owner->comm = commOf(record);
  owner->confidence = Confidence::inferred;
  return owner;
}

void Finder::made(const SocketRecord& record) {
  if (record.tgid == 0 || makers_.contains(record.root)) return;
  OwnerPointer owner = look(record);
  if (!owner) {
    readStarts_();
    owner = fromExec(record);
  }
  if (owner && makers_.size() < kMaxSockets) makers_[record.root] = owner;
}

void Finder::forget(uint64_t root) {
  makers_.erase(root);
  const auto older = older_.find(root);
  if (older == older_.end()) return;
  olderConnections_ -= isConnection(older->second);
  older_.erase(older);
}

void Finder::noteOlder() {
  for (const uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP})
    for (const SocketRow& row : diag_.all(protocol, ~0U)) adopt(row);
}

bool Finder::adopt(const SocketRow& row) {
  SocketRecord record{};
  record.root = row.cookie;
  record.user = row.user;
  record.flags = kOlder;
  if (!row.cookie || tables_.sockets.update(&row.cookie, &record, BPF_NOEXIST) != 0) return false;
  SocketRow& noted = older_[row.cookie];
  olderConnections_ -= isConnection(noted);
  olderConnections_ += isConnection(row);
  noted = row;
  return true;
}

// While the file can be had: its process may be gone when the hash is asked for.
void Finder::hashIfDue(const Identity& identity, Descriptor file) {
  if (identity.writable && identity.hasFile) hasher_.hash(std::move(file), identity.file, [](const std::string&) {});
}

void Finder::noteExec(pid_t pid, const Identity& identity, Descriptor file) {
  hashIfDue(identity, std::move(file));
  if (execs_.size() >= kMaxExecs) execs_.clear();
  auto& seen = execs_[pid];
  const uint64_t now = bootNs();
  // An earlier process of that number.
  std::erase_if(seen, [&](const SeenExec& exec) { return exec.atNs + kExecNs < now; });
  seen.push_back({identity, now});
}

void Finder::recorded(const SocketRecord& record, Found found) {
  const auto older = older_.find(record.root);
  if (older != older_.end()) return holding({older->second}, std::move(found));
  made(record);
  const auto maker = makers_.find(record.root);
  if (maker == makers_.end()) return found(nullptr);
  complete(std::make_shared<Owner>(*maker->second), std::move(found));
}

void Finder::holding(const std::vector<SocketRow>& rows, Found found) {
  std::set<uint32_t> inodes;
  for (const SocketRow& row : rows)
    if (row.inode) inodes.insert(row.inode);
  bool complete = false;
  const Holders holders = inodes.empty() ? Holders{} : findHolders(inodes, rows[0].user, budget_, complete);
  auto owner = std::make_shared<Owner>();
  std::set<pid_t> pids;
  for (const auto& [inode, list] : holders) pids.insert(list.begin(), list.end());
  // One socket without a holder, or one holder that can't be named, makes the whole unknown.
  bool named = complete && holders.size() == inodes.size() && inodes.size() == rows.size();
  for (const pid_t pid : pids) {
    const ProcessView process(pid);
    Identity identity;
    named = named && process.valid() && process.identify(identity);
    if (!named) break;
    hashIfDue(identity, process.openFile(identity));
    identity.user = rows[0].user;
    owner->pid = pid;
    owner->startedMs = process.startedMs();
    owner->comm = process.comm();
    owner->identities.push_back(identity);
  }
  if (!named || pids.empty()) return found(nullptr);
  owner->confidence = pids.size() == 1 ? Confidence::exact : Confidence::shared;
  this->complete(owner, std::move(found));
}

void Finder::complete(OwnerPointer owner, Found found) {
  if (std::any_of(owner->identities.begin(), owner->identities.end(), goesByArguments)) owner->confidence = Confidence::inferred;
  for (size_t i = 0; i < owner->identities.size(); i++) {
    Identity& identity = owner->identities[i];
    if (!subjects_.include(identity.user)) {
      const uint32_t user = identity.user;
      identity = Identity{};
      identity.user = user;
      owner->pid = 0;
      owner->startedMs = 0;
      owner->comm.clear();
      continue;
    }
    if (!identity.writable || !identity.hasFile || !identity.hash.empty()) continue;
    return hasher_.hash(Descriptor(), identity.file, [this, owner, i, found = std::move(found)](const std::string& hash) {
      owner->identities[i].hash = hash;
      // Without a hash it isn't asked for again.
      if (hash.empty()) owner->identities[i].hasFile = false;
      complete(owner, found);
    });
  }
  found(owner);
}

void writeIdentity(Writer& writer, const Identity& identity) {
  writer.u32(identity.user).text(identity.path).u8(identity.hasFile).u64(identity.file.device).u64(identity.file.inode).text(identity.hash);
  writer.u8(static_cast<uint8_t>(identity.group)).text(identity.groupId);
  writer.u8(static_cast<uint8_t>(identity.writable | identity.replaced << 1 | identity.foreign << 2)).text(identity.script);
}

void writeOwner(Writer& writer, const Owner& owner) {
  writer.u8(static_cast<uint8_t>(owner.confidence)).u32(static_cast<uint32_t>(owner.pid)).u64(owner.startedMs).text(owner.comm);
  writer.u16(static_cast<uint16_t>(owner.identities.size()));
  for (const Identity& identity : owner.identities) writeIdentity(writer, identity);
}

}  // namespace owners
