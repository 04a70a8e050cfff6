// Builds and sends the few rtnetlink messages that the helper needs.
#include "netlink.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "message.h"

namespace helper {

namespace {

// Higher than that of any route an administrator or a router advertisement sets, so that native IPv6 always wins.
constexpr uint32_t kDefaultRouteMetric = 1029;
constexpr uint32_t kForever = 0xffffffff;

// Calls `visit` with type, payload and length of each attribute in `length` bytes at `at`.
template <typename Visit>
void eachAttribute(const void* at, int length, Visit visit) {
  for (const auto* item = static_cast<const rtattr*>(at); RTA_OK(item, length); item = RTA_NEXT(item, length))
    visit(item->rta_type & NLA_TYPE_MASK, RTA_DATA(item), static_cast<int>(RTA_PAYLOAD(item)));
}

}  // namespace

class Netlink::Message : public NetlinkMessage {
 public:
  template <typename Body>
  Message(uint16_t type, uint16_t flags, const Body& body) : NetlinkMessage(type, static_cast<uint16_t>(NLM_F_ACK | flags), body) {}
};

Netlink::~Netlink() {
  if (fd_ >= 0) close(fd_);
  if (watch_ >= 0) close(watch_);
}

int Netlink::open() {
  fd_ = openNetlink(NETLINK_ROUTE);
  return fd_ < 0 ? errno : 0;
}

int Netlink::request(Message& message, const Reader& read) {
  nlmsghdr* const out[] = {message.finish(++sequence_)};
  if (const int error = sendNetlink(fd_, out)) return error;
  int result = 0;
  const int failed = readNetlink(fd_, [&](const nlmsghdr* item) {
    if (item->nlmsg_seq != sequence_) return false;
    if (item->nlmsg_type == NLMSG_ERROR) {
      result = -static_cast<const nlmsgerr*>(NLMSG_DATA(item))->error;
      return true;
    }
    if (read) read(item);
    return false;
  });
  return failed ? failed : result;
}

int Netlink::linkMessage(uint32_t index, uint32_t flags, uint32_t change, const std::function<void(Message&)>& fill) {
  ifinfomsg body{};
  body.ifi_index = static_cast<int>(index);
  body.ifi_flags = flags;
  body.ifi_change = change;
  Message message(RTM_NEWLINK, 0, body);
  if (fill) fill(message);
  return request(message);
}

int Netlink::configureLink(uint32_t index, uint32_t mtu, uint32_t queueLength) {
  return linkMessage(index, 0, 0, [&](Message& message) {
    message.add32(IFLA_MTU, mtu);
    message.add32(IFLA_TXQLEN, queueLength);
    const size_t spec = message.begin(IFLA_AF_SPEC);
    const size_t inet6 = message.begin(AF_INET6);
    const uint8_t none = IN6_ADDR_GEN_MODE_NONE;
    message.add(IFLA_INET6_ADDR_GEN_MODE, &none, sizeof none);
    message.end(inet6);
    message.end(spec);
  });
}

int Netlink::setUp(uint32_t index, bool up) { return linkMessage(index, up ? IFF_UP : 0, IFF_UP, {}); }

int Netlink::countQueues(uint32_t index, uint32_t& queues) {
  queues = 0;
  ifinfomsg body{};
  body.ifi_index = static_cast<int>(index);
  Message message(RTM_GETLINK, 0, body);
  const auto counts = [&](int type, const void* data, int length) {
    if ((type != IFLA_TUN_NUM_QUEUES && type != IFLA_TUN_NUM_DISABLED_QUEUES) || length != sizeof(uint32_t)) return;
    uint32_t count;
    std::memcpy(&count, data, sizeof count);
    queues += count;
  };
  const auto info = [&](int type, const void* data, int length) {
    if (type == IFLA_INFO_DATA) eachAttribute(data, length, counts);
  };
  return request(message, [&](const nlmsghdr* item) {
    if (item->nlmsg_type != RTM_NEWLINK || item->nlmsg_len < NLMSG_LENGTH(sizeof(ifinfomsg))) return;
    const auto* link = static_cast<const ifinfomsg*>(NLMSG_DATA(item));
    eachAttribute(IFLA_RTA(link), static_cast<int>(IFLA_PAYLOAD(item)), [&](int type, const void* data, int length) {
      if (type == IFLA_LINKINFO) eachAttribute(data, length, info);
    });
  });
}

// The /32 makes the kernel route 2001::/32 to the adapter for as long as there is an address.
int Netlink::setAddress(uint32_t index, const Address& address, bool preferred) {
  ifaddrmsg body{};
  body.ifa_family = AF_INET6;
  body.ifa_prefixlen = 32;
  body.ifa_index = index;
  Message message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, body);
  message.add(IFA_LOCAL, address.data(), address.size());
  message.add32(IFA_FLAGS, IFA_F_NODAD);
  ifa_cacheinfo life{};
  life.ifa_valid = kForever;
  // No preferred time left makes an address deprecated (RFC 4862 §5.5.4): old flows keep it, new ones don't take it.
  life.ifa_prefered = preferred ? kForever : 0;
  message.add(IFA_CACHEINFO, &life, sizeof life);
  return request(message);
}

int Netlink::removeAddress(uint32_t index, const Address& address) {
  ifaddrmsg body{};
  body.ifa_family = AF_INET6;
  body.ifa_prefixlen = 32;
  body.ifa_index = index;
  Message message(RTM_DELADDR, 0, body);
  message.add(IFA_LOCAL, address.data(), address.size());
  return request(message);
}

int Netlink::setDefaultRoute(uint32_t index, bool on) {
  rtmsg body{};
  body.rtm_family = AF_INET6;
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_STATIC;
  body.rtm_scope = RT_SCOPE_UNIVERSE;
  body.rtm_type = RTN_UNICAST;
  Message message(on ? RTM_NEWROUTE : RTM_DELROUTE, on ? NLM_F_CREATE | NLM_F_EXCL : 0, body);
  message.add32(RTA_OIF, index);
  message.add32(RTA_PRIORITY, kDefaultRouteMetric);
  const int error = request(message);
  // It is as asked for already.
  return error == (on ? EEXIST : ESRCH) ? 0 : error;
}

int Netlink::addTeredoRoute(uint32_t index) {
  constexpr uint8_t kTeredo[16] = {0x20, 0x01};
  rtmsg body{};
  body.rtm_family = AF_INET6;
  body.rtm_dst_len = 32;
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_STATIC;
  body.rtm_scope = RT_SCOPE_UNIVERSE;
  body.rtm_type = RTN_UNICAST;
  Message message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, body);
  message.add(RTA_DST, kTeredo, sizeof kTeredo);
  message.add32(RTA_OIF, index);
  return request(message);
}

int Netlink::watchLinks() {
  watch_ = openNetlink(NETLINK_ROUTE, RTMGRP_LINK, SOCK_NONBLOCK);
  return watch_ < 0 ? errno : 0;
}

bool Netlink::linkGone(uint32_t index) {
  uint8_t bytes[8192];
  while (recv(watch_, bytes, sizeof bytes, 0) >= 0 || errno == ENOBUFS || errno == EINTR) continue;
  ifinfomsg body{};
  body.ifi_index = static_cast<int>(index);
  Message message(RTM_GETLINK, 0, body);
  return request(message) == ENODEV;
}

}  // namespace helper
