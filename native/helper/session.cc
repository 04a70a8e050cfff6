// The conversation: HELLO with a role, then OPEN_ADAPTER once and the rest in any order; as a server, OPEN_RAW6 once; as a relay,
// OPEN_ADAPTER and START_RELAY, once each.
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <iterator>

#include "../owners/process.h"
#include "adapter.h"
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
  Session(int client, int parent, TunDescriptors& descriptors, RawSocket& raw, owners::OwnersProcess& owners, owners::Descriptor filter, bool mayBeServer)
      : client_(client),
        parent_(parent),
        descriptors_(descriptors),
        raw_(raw),
        owners_(owners),
        filter_(std::move(filter)),
        adapter_(descriptors),
        mayBeServer_(mayBeServer) {}

  void run() {
    for (;;) {
      pollfd items[] = {{client_, POLLIN, 0}, {parent_, 0, 0}, {adapter_.watchFd(), POLLIN, 0}, {forwarding_.guardFd(), 0, 0}};
      const int ready = poll(items, std::size(items), greeted_ ? -1 : kHelloMs);
      if (ready < 0 && errno == EINTR) continue;
      if (items[3].revents) return forwarding_.restore();
      if (ready <= 0 || items[1].revents) return;
      if (items[2].revents && adapter_.isOpen() && adapter_.gone()) return;
      if (items[0].revents && !answer()) return;
    }
  }

 private:
  // False when the client is gone or reads nothing.
  bool answer() {
    uint8_t bytes[kMaxRequest + 1];
    // Descriptors that a client sends have no room here: the kernel closes them.
    const ssize_t got = recv(client_, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    if (got == 0) return false;
    Request request;
    Answer answer = parseRequest(bytes, static_cast<size_t>(got), request);
    std::vector<int> fds;
    if (answer.status == Status::ok) answer = carryOut(request, fds);
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
    if (role != Role::adapter) owners_.close();
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

  Answer carryOut(const Request& request, std::vector<int>& fds) {
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
    if (request.command == Command::openAdapter) return adapter_.open(request, role_ == Role::adapter ? filter_.get() : -1, fds);
    if (!adapter_.isOpen()) return {Status::badOrder, 0, "There is no adapter yet."};
    if ((request.command == Command::startRelay) != (role_ == Role::relay))
      return {Status::badOrder, 0, "This command belongs to another role."};
    if (request.command == Command::startRelay) return startRelay(request);
    if (request.command == Command::openOwners) return openOwners(request, fds);
    if (request.command == Command::setAddress) return adapter_.setAddress(request);
    if (request.command == Command::removeAddress) return adapter_.removeAddress(request);
    return adapter_.setDefaultRoute(request);
  }

  Answer openOwners(const Request& request, std::vector<int>& fds) {
    if (role_ != Role::adapter) return {Status::badOrder, 0, "This command belongs to another role."};
    uid_t user = 0;
    if (!peerUser(client_, user)) return {Status::system, 0, "The client's user could not be told."};
    owners::Descriptor stream = owners_.begin({adapter_.index(), user, !request.on});
    if (!stream.valid()) return {Status::badOrder, 0, "The owners of sockets are told once a connection; use another connection."};
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
  bool relaying_ = false;
  const bool mayBeServer_;
  bool greeted_ = false;
  Role role_ = Role::adapter;
};

}  // namespace

int serve(int client, int parent, bool mayBeServer) {
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
  Session(client, parent, descriptors, raw, owners, std::move(filter), mayBeServer).run();
  return 0;
}

}  // namespace helper
