// The loop: frames of the engine, events of the kernel programs, sockets and processes that went, and a sweep now and then.
#include "service.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace owners {

namespace {

// The ends of many sockets are told at once.
constexpr uint64_t kHoldNs = 20'000'000;
// An engine that reads nothing is gone, or as good as.
constexpr size_t kMaxOut = 8 << 20;
constexpr size_t kMaxAnswered = 65'536;
// Without programs: how long the holders that were found are believed to be all.
constexpr uint64_t kSearchedNs = 2'000'000'000;
// Flows of one socket that are given free as soon as it is gone; those beyond wait for the sweep.
constexpr size_t kMaxFlowsNoted = 256;
// One more try for a socket that is just being set up.
constexpr useconds_t kRetryUs = 1'000;

// Of this process's network namespace; 0 when the kernel has none (before 5.14).
uint64_t namespaceCookie() {
  const Descriptor probe(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return probe.valid() && getsockopt(probe.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

constexpr SocketVerdict kNothing{Out::deny, In::none, {}};

}  // namespace

Service::Service(int engine, const Start& start)
    : engine_(engine), start_(start), finder_(tables_, diag_, hasher_, start.subjects), starts_(finder_) {}

bool Service::open() {
  if (diag_.open() != 0) return false;
  starts_.open();
  const uint64_t scope = namespaceCookie();
  if (!start_.programs) why_ = "they were not asked for";
  else if (!scope) why_ = "the kernel gives its network namespaces no cookies";
  else if (const int error = tables_.create()) why_ = std::string("the kernel made no tables (") + std::strerror(error) + ")";
  else if (const int failed = ring_.open(tables_.ring)) why_ = std::string("the kernel gave no ring of events (") + std::strerror(failed) + ")";
  else why_ = loaded_.attach(tables_, {start_.interface, scope});
  programs_ = why_.empty();
  if (programs_) finder_.noteOlder();
  finder_.readStartsBy([this] { starts_.readStarted(); });
  starts_.tellTo({[this](pid_t pid, uint64_t started, const Identity& identity) {
                    Writer frame(Kind::exec);
                    frame.u32(static_cast<uint32_t>(pid)).u64(started);
                    writeIdentity(frame, identity);
                    send(frame);
                  },
                  [this](pid_t pid, uint64_t started) {
                    Writer frame(Kind::exit);
                    frame.u32(static_cast<uint32_t>(pid)).u64(started);
                    send(frame);
                  }});
  return true;
}

void Service::run(int session) {
  // A thread that began before privileges were given up would have kept them.
  if (hasher_.open() != 0) return;
  // Given up by now is what could still change the tables' programs; a kernel that then refuses the tables has no programs for us.
  const uint64_t none = 0;
  const SocketVerdict undecided{};
  if (programs_ && tables_.verdicts.update(&none, &undecided) != 0) {
    programs_ = false;
    loaded_ = Programs();
    why_ = "the kernel lets only privileged processes use their tables";
  }
  policy_.open();
  Writer hello(Kind::mode);
  hello.u8(programs_ ? 1 : 2).text(why_).u8(!starts_.sweeps());
  const Subjects& subjects = start_.subjects;
  hello.u8(subjects.everybody()).u16(static_cast<uint16_t>(subjects.count));
  for (uint32_t i = 0; i < subjects.count; i++) hello.u32(subjects.others[i]);
  send(hello);
  listenersAtNs_ = bootNs();
  std::vector<pollfd> items;
  while (!broken_) {
    planSweep();
    diag_.watchEnds(!programs_ || finder_.hasOlderConnections());
    const short engineEvents = out_.empty() || holdUntilNs_ ? POLLIN : POLLIN | POLLOUT;
    items = {{engine_, engineEvents, 0},         {session, POLLIN, 0},  {programs_ ? ring_.fd() : -1, POLLIN, 0},
             {diag_.watchFd(), POLLIN, 0}, {hasher_.fd(), POLLIN, 0}, {starts_.fd(), POLLIN, 0}, {policy_.fd(), POLLIN, 0}};
    const size_t fixed = items.size();
    starts_.addTo(items);
    uint64_t next = 0;
    for (const uint64_t at : {sweepAtNs_, listenersAtNs_, starts_.nextNs(), holdUntilNs_})
      if (at && (!next || at < next)) next = at;
    const uint64_t now = bootNs();
    // With nothing to come back for it sleeps until somebody calls.
    const int wait = !next ? -1 : next > now ? static_cast<int>((next - now) / 1'000'000) + 1 : 0;
    if (poll(items.data(), items.size(), wait) < 0 && errno != EINTR) return;
    if (items[1].revents && !readSession(session)) return;
    // The policy as it is now rules over what comes.
    if (items[6].revents) policyChanged();
    // What was made comes before what the engine asks about it.
    starts_.readStarted();
    if (programs_) ring_.read([this](const Event& event) { onEvent(event); });
    if (items[3].revents) readDestroyed();
    if (items[4].revents) hasher_.finish();
    for (size_t i = fixed; i < items.size(); i++)
      if (items[i].revents) starts_.ended(items[i].fd);
    if (items[0].revents & (POLLIN | POLLHUP | POLLERR) && !readEngine()) return;
    starts_.tick();
    if (listenersAtNs_ && bootNs() >= listenersAtNs_) refreshListeners();
    if (sweepAtNs_ && bootNs() >= sweepAtNs_) sweep();
    if (!flush()) return;
  }
}

bool Service::readEngine() {
  uint8_t part[16 << 10];
  const ssize_t got = recv(engine_, part, sizeof part, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  in_.insert(in_.end(), part, part + got);
  size_t at = 0;
  while (in_.size() - at >= 6) {
    const uint32_t length = Reader(in_.data() + at, 4).u32();
    if (length < 2 || length > kMaxFrame) return false;
    if (in_.size() - at - 4 < length) break;
    if (!handle(in_.data() + at + 4, length)) return false;
    at += 4 + length;
  }
  in_.erase(in_.begin(), in_.begin() + static_cast<long>(at));
  return true;
}

// False for what no engine sends.
bool Service::handle(const uint8_t* bytes, size_t length) {
  Reader reader(bytes, length);
  switch (static_cast<Kind>(reader.u16())) {
    case Kind::verdict:
      setVerdict(reader);
      break;
    case Kind::resolve:
      resolve(reader);
      break;
    case Kind::release:
      release(reader.flow());
      break;
    case Kind::watch:
      watch(reader);
      break;
    case Kind::listeners:
      listListeners(reader.u32());
      break;
    case Kind::forgotten:
      forget(reader.u64());
      break;
    default:
      return false;
  }
  return reader.complete();
}

void Service::watch(Reader& reader) {
  std::vector<std::string> paths(reader.u16());
  for (std::string& path : paths) path = reader.text();
  std::vector<std::pair<pid_t, uint64_t>> processes(reader.u16());
  for (auto& [pid, started] : processes) {
    pid = static_cast<pid_t>(reader.u32());
    started = reader.u64();
  }
  std::set<std::pair<GroupKind, std::string>> groups;
  for (uint16_t left = reader.u16(); left > 0 && reader.good(); left--) {
    const auto kind = static_cast<GroupKind>(reader.u8());
    groups.emplace(kind, reader.text());
  }
  if (!reader.complete()) return;
  starts_.watch(paths, processes, std::move(groups));
  // Who is watched now is told with its listeners.
  listening_.clear();
  listenersAtNs_ = bootNs();
}

// False when it is gone. Only Teredo addresses (RFC 4380 §4) come: the programs judge no other traffic.
bool Service::readSession(int session) {
  AddressOrder order{};
  const ssize_t got = recv(session, &order, sizeof order, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got != sizeof order) return false;
  const uint32_t one = 1;
  const uint8_t done = !programs_ || !order.add || tables_.addresses.update(&order.address, &one) == 0;
  if (programs_ && !order.add) tables_.addresses.erase(&order.address);
  return ::send(session, &done, sizeof done, MSG_NOSIGNAL) == sizeof done;
}

void Service::setVerdict(Reader& reader) {
  const uint32_t id = reader.u32();
  const uint64_t cookie = reader.u64();
  SocketVerdict verdict{};
  verdict.out = static_cast<Out>(reader.u8());
  verdict.in = static_cast<In>(reader.u8());
  std::vector<uint16_t> ports(reader.u16());
  for (uint16_t& port : ports) port = reader.u16();
  if (!reader.complete() || verdict.out > Out::deny || verdict.in > In::ports) return;
  if (!programs_) return tellApplied(id);
  newest_[cookie] = id;
  const bool gives = verdict.out == Out::allow || verdict.in != In::none;
  if (!gives) {
    newest_.erase(cookie);
    applyVerdict(cookie, verdict, std::move(ports));
    return tellApplied(id);
  }
  judge(cookie, [this, id, cookie, verdict, ports = std::move(ports)](bool may) {
    const auto newest = newest_.find(cookie);
    // Else another verdict came while its owner was looked for.
    if (newest != newest_.end() && newest->second == id) {
      newest_.erase(newest);
      applyVerdict(cookie, may ? verdict : kNothing, may ? ports : std::vector<uint16_t>());
    }
    tellApplied(id);
  });
}

void Service::tellApplied(uint32_t id) {
  Writer frame(Kind::applied);
  frame.u32(id);
  send(frame);
}

// Whatever the engine says: nobody opens what a program of another user made than those he decides for, and nobody what the machine policy forbids.
void Service::judge(uint64_t root, std::function<void(bool)> then) {
  SocketRecord record;
  const auto recorded = [&](uint64_t cookie) { return tables_.sockets.lookup(&cookie, &record) == 0; };
  // A listener that closed lives on in what it accepted.
  const auto living = living_.find(root);
  if (!recorded(root) && (living == living_.end() || std::none_of(living->second.begin(), living->second.end(), recorded))) return then(false);
  if (!start_.subjects.include(record.user)) return then(false);
  if (policy_.now().forbidden.empty()) return then(true);
  finder_.recorded(record, [this, then = std::move(then)](const OwnerPointer& owner) {
    then(owner && std::none_of(owner->identities.begin(), owner->identities.end(), [&](const Identity& one) { return isForbidden(policy_.now(), one); }));
  });
}

// What has a verdict is judged again.
void Service::policyChanged() {
  if (!policy_.reread()) return;
  std::vector<uint64_t> roots;
  for (const auto& [root, ports] : reach_) roots.push_back(root);
  for (const uint64_t root : roots)
    judge(root, [this, root](bool may) {
      if (!may) applyVerdict(root, kNothing, {});
    });
}

// What is taken away is taken first, what is given is given last.
void Service::applyVerdict(uint64_t cookie, const SocketVerdict& verdict, std::vector<uint16_t> ports) {
  // A socket that is gone needs none, and would keep it for ever.
  SocketRecord record;
  if (!living_.contains(cookie) && tables_.sockets.lookup(&cookie, &record) != 0) return;
  const uint32_t one = 1;
  std::vector<uint16_t>& held = reach_[cookie];
  for (const uint16_t port : held) {
    const ReachKey key{cookie, port, 0};
    if (std::find(ports.begin(), ports.end(), port) == ports.end()) tables_.reach.erase(&key);
  }
  for (const uint16_t port : ports) {
    const ReachKey key{cookie, port, 0};
    tables_.reach.update(&key, &one);
  }
  held = std::move(ports);
  tables_.verdicts.update(&cookie, &verdict);
}

void Service::resolve(Reader& reader) {
  const uint32_t id = reader.u32();
  const bool inward = reader.u8() != 0;
  const FlowKey flow = reader.flow();
  if (!reader.complete()) return;
  if (!programs_) return resolveByDiag(id, flow);
  uint64_t cookie = 0;
  SocketRecord record;
  const bool recorded = tables_.sent.lookup(&flow, &cookie) == 0 || tables_.met.lookup(&flow, &cookie) == 0;
  // A handshake under way has a socket of its own that no program made; its listener is in the tables.
  if (inward && !(recorded && flow.protocol == IPPROTO_TCP && tables_.sockets.lookup(&cookie, &record) == 0)) {
    const auto row = diag_.exact(flow, start_.interface);
    if (!row) return answer(id, 0, false, nullptr);
    cookie = row->cookie;
  } else if (!recorded) {
    return answer(id, 0, false, nullptr);
  }
  const bool known = tables_.sockets.lookup(&cookie, &record) == 0 || (adopt(flow, cookie) && tables_.sockets.lookup(&cookie, &record) == 0);
  stirred_ = true;
  auto& flows = flows_[known ? record.root : cookie];
  if (flows.size() < kMaxFlowsNoted) flows.push_back(flow);
  if (!known) return resolveClosed(id, cookie);
  living_[record.root].insert(cookie);
  finder_.recorded(record, [this, id, root = record.root](const OwnerPointer& owner) { answer(id, root, true, owner); });
}

// What the kernel made for a program by itself, as the inner sockets of Multipath TCP: it is there, it is the one that sent, and it
// shows the inode of its program's socket.
bool Service::adopt(const FlowKey& flow, uint64_t cookie) {
  const auto row = diag_.exact(flow, start_.interface);
  return row && row->cookie == cookie && row->inode != 0 && finder_.adopt(*row);
}

// Closed before it was asked about, as by a program that sends once. Its packet may still pass; that the socket is gone is told (again)
// after the answer, so that the engine keeps no flow for it.
void Service::resolveClosed(uint32_t id, uint64_t cookie) {
  // The engine may keep a flow of it for that moment.
  forgotten_.erase(cookie);
  const auto recent = closed_.find(cookie);
  const auto told = [this, cookie] {
    Writer frame(Kind::closed);
    frame.u64(cookie);
    send(frame);
  };
  if (recent == closed_.end()) {
    answer(id, cookie, true, nullptr);
    return told();
  }
  finder_.recorded(recent->second.record, [this, id, cookie, told](const OwnerPointer& owner) {
    answer(id, cookie, true, owner);
    told();
  });
}

// The kernel's own choice, and who holds it; where several sockets share the port, all of them.
void Service::resolveByDiag(uint32_t id, const FlowKey& flow) {
  auto row = diag_.exact(flow, start_.interface);
  if (!row) {
    usleep(kRetryUs);
    row = diag_.exact(flow, start_.interface);
  }
  if (!row) return answer(id, 0, false, nullptr);
  if (answered_.size() < kMaxAnswered) answered_.emplace_back(flow, row->cookie);
  std::vector<SocketRow> rows{*row};
  if (flow.protocol == IPPROTO_UDP)
    for (const SocketRow& other : diag_.all(flow.protocol, ~0U))
      if (other.localPort == row->localPort && other.cookie != row->cookie) rows.push_back(other);
  // A socket that talks to many, and shares its port with none, is not searched for again each time.
  const auto known = searched_.find(row->cookie);
  if (rows.size() == 1 && known != searched_.end() && bootNs() < known->second.second)
    return answer(id, row->cookie, true, known->second.first);
  finder_.holding(rows, [this, id, cookie = row->cookie](const OwnerPointer& owner) {
    if (searched_.size() >= kMaxAnswered) searched_.clear();
    if (owner) searched_[cookie] = {owner, bootNs() + kSearchedNs};
    answer(id, cookie, true, owner);
  });
}

void Service::release(const FlowKey& flow) {
  if (programs_) {
    tables_.sent.erase(&flow);
    tables_.met.erase(&flow);
  }
  std::erase_if(answered_, [&](const auto& item) { return item.first == flow; });
}

// The engine's table has no flow of it: from here on another socket may use them.
void Service::forget(uint64_t root) {
  stirred_ = true;
  forgotten_.insert(root);
  const auto found = flows_.find(root);
  if (found == flows_.end()) return;
  for (const FlowKey& flow : found->second)
    for (const Map* map : {&tables_.sent, &tables_.met}) {
      uint64_t cookie = 0;
      SocketRecord record;
      if (map->lookup(&flow, &cookie) == 0 && tables_.sockets.lookup(&cookie, &record) != 0) map->erase(&flow);
    }
  flows_.erase(found);
}

void Service::answer(uint32_t id, uint64_t cookie, bool found, const OwnerPointer& owner) {
  Writer frame(Kind::owner);
  frame.u32(id).u8(found).u64(cookie).u8(owner != nullptr);
  if (owner) writeOwner(frame, *owner);
  send(frame);
}

void Service::sendSoon(Writer& writer) {
  const uint64_t until = out_.empty() ? bootNs() + kHoldNs : holdUntilNs_;
  send(writer);
  holdUntilNs_ = until;
}

void Service::send(Writer& writer) {
  holdUntilNs_ = 0;
  const auto& frame = writer.finish();
  if (out_.size() + frame.size() > kMaxOut) broken_ = true;
  else out_.insert(out_.end(), frame.begin(), frame.end());
}

bool Service::flush() {
  if (holdUntilNs_ && bootNs() < holdUntilNs_) return true;
  holdUntilNs_ = 0;
  size_t at = 0;
  while (at < out_.size()) {
    const ssize_t sent = ::send(engine_, out_.data() + at, out_.size() - at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent < 0) break;
    at += static_cast<size_t>(sent);
  }
  out_.erase(out_.begin(), out_.begin() + static_cast<long>(at));
  return true;
}

}  // namespace owners
