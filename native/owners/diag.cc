// Builds and reads the messages of sock_diag(7).
#include "diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace owners {

namespace {

struct Request {
  nlmsghdr head;
  inet_diag_req_v2 body;
};

SocketRow readRow(const nlmsghdr* item, uint8_t protocol) {
  SocketRow row;
  const auto* message = static_cast<const inet_diag_msg*>(NLMSG_DATA(item));
  row.cookie = uint64_t{message->id.idiag_cookie[1]} << 32 | message->id.idiag_cookie[0];
  row.inode = message->idiag_inode;
  row.user = message->idiag_uid;
  row.protocol = protocol;
  row.state = message->idiag_state;
  row.localPort = ntohs(message->id.idiag_sport);
  std::memcpy(row.local.data(), message->id.idiag_src, row.local.size());
  int left = static_cast<int>(item->nlmsg_len - NLMSG_LENGTH(sizeof *message));
  for (auto* part = reinterpret_cast<const rtattr*>(message + 1); RTA_OK(part, left); part = RTA_NEXT(part, left))
    if (part->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(part) >= 1) row.v6only = *static_cast<const uint8_t*>(RTA_DATA(part)) != 0;
  return row;
}

// Calls `visit` with each row that answers `request`.
void request(int fd, Request& request, uint32_t sequence, const std::function<void(const SocketRow&)>& visit) {
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.head.nlmsg_flags |= NLM_F_REQUEST;
  request.head.nlmsg_seq = sequence;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(fd, &request, sizeof request, 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0) return;
  const bool dump = request.head.nlmsg_flags & NLM_F_DUMP;
  for (;;) {
    alignas(nlmsghdr) uint8_t bytes[32 << 10];
    sockaddr_nl from{};
    socklen_t fromLength = sizeof from;
    const ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &fromLength);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return;
    if (from.nl_pid != 0) continue;
    auto left = static_cast<unsigned>(got);
    for (auto* item = reinterpret_cast<const nlmsghdr*>(bytes); NLMSG_OK(item, left); item = NLMSG_NEXT(item, left)) {
      if (item->nlmsg_seq != sequence) continue;
      if (item->nlmsg_type == NLMSG_DONE || item->nlmsg_type == NLMSG_ERROR) return;
      if (item->nlmsg_type == SOCK_DIAG_BY_FAMILY && item->nlmsg_len >= NLMSG_LENGTH(sizeof(inet_diag_msg)))
        visit(readRow(item, request.body.sdiag_protocol));
      if (!dump) return;
    }
  }
}

}  // namespace

int Diag::open() {
  ask_.reset(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  watch_.reset(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
  if (!ask_.valid() || !watch_.valid()) return errno;
  // The kernel answers at once, or never.
  const timeval patience{1, 0};
  setsockopt(ask_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  return bind(watch_.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) < 0 ? errno : 0;
}

void Diag::watchEnds(bool on) {
  if (on == watching_) return;
  watching_ = on;
  for (const int group : {SKNLGRP_INET6_TCP_DESTROY, SKNLGRP_INET6_UDP_DESTROY})
    setsockopt(watch_.get(), SOL_NETLINK, on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group, sizeof group);
}

// For UDP the kernel takes source and destination the other way round.
std::optional<SocketRow> Diag::exact(const FlowKey& flow, uint32_t interface) {
  Request message{};
  inet_diag_req_v2& body = message.body;
  body.sdiag_family = AF_INET6;
  body.sdiag_protocol = flow.protocol;
  body.idiag_states = ~0U;
  const bool swapped = flow.protocol == IPPROTO_UDP;
  body.id.idiag_sport = swapped ? flow.remotePort : flow.localPort;
  body.id.idiag_dport = swapped ? flow.localPort : flow.remotePort;
  std::memcpy(body.id.idiag_src, swapped ? flow.remote.data() : flow.local.data(), sizeof(Address));
  std::memcpy(body.id.idiag_dst, swapped ? flow.local.data() : flow.remote.data(), sizeof(Address));
  body.id.idiag_if = interface;
  body.id.idiag_cookie[0] = body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  std::optional<SocketRow> found;
  if (flow.protocol == IPPROTO_TCP || flow.protocol == IPPROTO_UDP)
    request(ask_.get(), message, ++sequence_, [&](const SocketRow& row) { found = row; });
  return found;
}

std::vector<SocketRow> Diag::all(uint8_t protocol, uint32_t states) {
  Request message{};
  message.head.nlmsg_flags = NLM_F_DUMP;
  message.body.sdiag_family = AF_INET6;
  message.body.sdiag_protocol = protocol;
  message.body.idiag_states = states;
  std::vector<SocketRow> rows;
  request(ask_.get(), message, ++sequence_, [&](const SocketRow& row) { rows.push_back(row); });
  return rows;
}

bool Diag::readGone(const std::function<void(uint64_t)>& gone) {
  for (;;) {
    alignas(nlmsghdr) uint8_t bytes[8192];
    sockaddr_nl from{};
    socklen_t fromLength = sizeof from;
    const ssize_t got = recvfrom(watch_.get(), bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &fromLength);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno != ENOBUFS;
    if (from.nl_pid != 0) continue;
    auto left = static_cast<unsigned>(got);
    for (auto* item = reinterpret_cast<const nlmsghdr*>(bytes); NLMSG_OK(item, left); item = NLMSG_NEXT(item, left))
      if (item->nlmsg_type == SOCK_DIAG_BY_FAMILY && item->nlmsg_len >= NLMSG_LENGTH(sizeof(inet_diag_msg))) gone(readRow(item, 0).cookie);
  }
}

}  // namespace owners
