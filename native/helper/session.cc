// The conversation: HELLO with a role, then OPEN_ADAPTER once and the rest in any order; as a server, OPEN_RAW6 once; as a relay,
// OPEN_ADAPTER and START_RELAY, once each, and GROW_BUFFERS.
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <span>

#include "../owners/process.h"
#include "../policy/policy.h"
#include "adapter.h"
#include "buffers.h"
#include "confine.h"
#include "daemon.h"
#include "forwarding.h"
#include "raw6.h"

namespace helper {

namespace {

// A connection that says nothing doesn't hold a place for longer.
constexpr int kHelloMs = 10'000;

class Session {
 public:
  Session(int client, int parent, TunDescriptors& descriptors, RawSocket& raw, owners::OwnersProcess& owners, owners::Descriptor filter, bool mayBeServer,
          const std::vector<uid_t>& others)
      : client_(client),
        parent_(parent),
        descriptors_(descriptors),
        raw_(raw),
        owners_(owners),
        filter_(std::move(filter)),
        adapter_(descriptors),
        mayBeServer_(mayBeServer),
        others_(others) {}

  void run() {
    for (;;) {
      pollfd items[] = {{client_, POLLIN, 0}, {parent_, 0, 0}, {adapter_.watchFd(), POLLIN, 0}, {forwarding_.guardFd(), 0, 0}, {policy_.fd(), POLLIN, 0}};
      const int ready = poll(items, std::size(items), greeted_ ? -1 : kHelloMs);
      if (ready < 0 && errno == EINTR) continue;
      if (items[3].revents) return forwarding_.restore();
      if (ready <= 0 || items[1].revents) return;
      if (items[2].revents && adapter_.isOpen() && adapter_.gone()) return;
      // A request is judged by the policy as it is now.
      if (items[4].revents) policyChanged();
      if (items[0].revents && !answer()) return;
    }
  }

 private:
  // False when the client is gone or reads nothing.
  bool answer() {
    uint8_t bytes[kMaxRequest + 1];
    // Closed at the end, whatever the command was.
    std::vector<owners::Descriptor> came;
    const ssize_t got = receiveFrame(client_, bytes, sizeof bytes, came);
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    if (got == 0) return false;
    Request request;
    Answer answer = parseRequest(bytes, static_cast<size_t>(got), request);
    std::vector<int> fds;
    if (answer.status == Status::ok) answer = carryOut(request, came, fds);
    const bool sent = send(buildReply(static_cast<uint16_t>(request.command), answer), fds);
    // Handed over or of no use: from here on the device lives by the client's descriptors alone.
    if (adapter_.tried()) {
      descriptors_.closeAll();
      filter_.reset();
    }
    if (request.command == Command::openRaw6 && !fds.empty()) raw_.close();
    handedOver_.reset();
    return sent;
  }

  // What the role doesn't need is given up before anything else is done.
  Answer greet(Role role) {
    if (greeted_) return role == role_ ? Answer{} : Answer{Status::badOrder, 0, "A connection has one role."};
    if (role != Role::adapter && !mayBeServer_)
      return {Status::badArgument, 0,
              "This user may not run a server or relay by the helper service; start it with sudo, or allow it with --allow-server-uid."};
    greeted_ = true;
    role_ = role;
    if (role == Role::adapter) policy_.open();
    else owners_.close();
    if (role != Role::server) {
      raw_.close();
      return {};
    }
    descriptors_.closeAll();
    filter_.reset();
    if (dropCapabilities()) return {};
    raw_.close();
    return {Status::system, 0, "The helper's privileges could not be given up."};
  }

  Answer carryOut(const Request& request, std::span<const owners::Descriptor> came, std::vector<int>& fds) {
    if (request.command == Command::hello) return greet(request.role);
    if (!greeted_) return {Status::badOrder, 0, "The first frame must be HELLO."};
    if ((request.command == Command::openRaw6) != (role_ == Role::server))
      return {Status::badOrder, 0, "This command belongs to another role."};
    if (request.command == Command::openRaw6) {
      int fd = -1;
      const Answer answer = raw_.take(fd);
      if (answer.status == Status::ok) fds.push_back(fd);
      return answer;
    }
    // A relay forwards; what a client's adapter takes comes from a socket of this machine.
    if (request.command == Command::openAdapter)
      return adapter_.open(request, role_ == Role::relay, role_ == Role::relay ? -1 : filter_.get(), forbidden().status == Status::ok, fds);
    if (!adapter_.isOpen()) return {Status::badOrder, 0, "There is no adapter yet."};
    if (request.command == Command::growBuffers) return growBuffers(came);
    if ((request.command == Command::startRelay) != (role_ == Role::relay))
      return {Status::badOrder, 0, "This command belongs to another role."};
    if (request.command == Command::startRelay) return startRelay(request);
    if (request.command == Command::openOwners) return openOwners(request, fds);
    if (request.command == Command::setAddress) return setAddress(request);
    if (request.command == Command::removeAddress) return removeAddress(request);
    // Without an address it has no use.
    if (request.command == Command::defaultRoute && !adapter_.isUp()) return {};
    return adapter_.setDefaultRoute(request);
  }

  // Why a client's adapter must not carry anything; `ok` when it may.
  Answer forbidden() const {
    if (role_ != Role::adapter) return {};
    if (policy_.now().off) return {Status::policy, 0, "The policy of this machine (/etc/shipworm/policy.d) switches Teredo off."};
    if (policy_.now().closed && !judging_)
      return {Status::policy, 0,
              "The policy of this machine (/etc/shipworm/policy.d) says what programs may do: nothing passes before somebody asks for the owners of sockets."};
    return {};
  }

  void policyChanged() {
    if (policy_.reread()) applyPolicy();
  }

  // A device without a use, down and without an address, until the policy allows it again.
  Answer applyPolicy() {
    if (!adapter_.isOpen()) return {};
    const std::vector<Address> before = adapter_.addresses();
    const Answer answer = adapter_.setUp(forbidden().status == Status::ok);
    if (!adapter_.isUp())
      for (const Address& address : before) owners_.removeAddress(address);
    return answer;
  }

  // The programs in the kernel know the address before a packet can have it.
  Answer setAddress(const Request& request) {
    if (const Answer why = forbidden(); why.status != Status::ok) return why;
    if (!owners_.addAddress(request.address)) return {Status::system, 0, "The process that answers about owners does not take the address."};
    const Answer answer = adapter_.setAddress(request);
    const auto& held = adapter_.addresses();
    if (std::find(held.begin(), held.end(), request.address) == held.end()) owners_.removeAddress(request.address);
    return answer;
  }

  Answer removeAddress(const Request& request) {
    const Answer answer = adapter_.removeAddress(request);
    if (answer.status == Status::ok) owners_.removeAddress(request.address);
    return answer;
  }

  Answer openOwners(const Request& request, std::vector<int>& fds) {
    if (role_ != Role::adapter) return {Status::badOrder, 0, "This command belongs to another role."};
    uid_t user = 0;
    if (!peerUser(client_, user)) return {Status::system, 0, "The client's user could not be told."};
    owners::Subjects subjects{user};
    for (const uid_t other : others_)
      if (subjects.count < owners::kMaxOthers) subjects.others[subjects.count++] = other;
    // No verdict of a user's client is about others' programs, and their packets are not its to read.
    if (!subjects.everybody()) adapter_.admitOnly(subjects);
    // Who must obey a policy can't do without the kernel's part.
    owners::Descriptor stream = owners_.begin({adapter_.index(), subjects, policy_.now().closed || !request.on});
    if (!stream.valid()) return {Status::badOrder, 0, "The owners of sockets are told once a connection; use another connection."};
    for (const Address& address : adapter_.addresses()) owners_.addAddress(address);
    judging_ = true;
    if (const Answer answer = applyPolicy(); answer.status != Status::ok) return answer;
    fds.push_back(stream.get());
    handedOver_ = std::move(stream);
    return {};
  }

  // Packets for Teredo come to the adapter only once they can go on.
  Answer startRelay(const Request& request) {
    if (relaying_) return {Status::badOrder, 0, "The relay has been started already."};
    if (request.forward != Forward::none) {
      const Answer answer = forwarding_.start(adapter_.name(), request.native, request.forward);
      if (answer.status != Status::ok) return answer;
    }
    relaying_ = true;
    return adapter_.addTeredoRoute();
  }

  bool send(std::vector<uint8_t> frame, const std::vector<int>& fds) {
    alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * kMaxQueues)] = {};
    iovec part{frame.data(), frame.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
      cmsghdr* item = CMSG_FIRSTHDR(&message);
      item->cmsg_level = SOL_SOCKET;
      item->cmsg_type = SCM_RIGHTS;
      item->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
      std::memcpy(CMSG_DATA(item), fds.data(), sizeof(int) * fds.size());
    }
    return sendmsg(client_, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
  }

  int client_;
  int parent_;
  TunDescriptors& descriptors_;
  RawSocket& raw_;
  owners::OwnersProcess& owners_;
  owners::Descriptor handedOver_;
  owners::Descriptor filter_;
  Adapter adapter_;
  Forwarding forwarding_;
  policy::Watched policy_;
  bool judging_ = false;  // owners are told
  bool relaying_ = false;
  const bool mayBeServer_;
  const std::vector<uid_t> others_;
  bool greeted_ = false;
  Role role_ = Role::adapter;
};

}  // namespace

int serve(int client, int parent, bool mayBeServer, const std::vector<uid_t>& others) {
  TunDescriptors descriptors;
  owners::OwnersProcess owners;
  owners.fork([] { return confine(Keep::owners); });
  descriptors.open();
  owners::Descriptor filter = owners::loadForwardFilter();
  RawSocket raw;
  if (mayBeServer) raw.open();
  if (!detach() || !confine(Keep::session)) {
    std::fprintf(stderr, "shipworm-helper: its privileges could not be given up (%s).\n", std::strerror(errno));
    return 1;
  }
  Session(client, parent, descriptors, raw, owners, std::move(filter), mayBeServer, others).run();
  return 0;
}

}  // namespace helper
