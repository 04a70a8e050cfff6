// Reads this network namespace's IPv4 addresses and default routes from the kernel (RTM_GETADDR, RTM_GETROUTE).
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "datapath.h"
#include "js.h"

namespace shipworm {

namespace {

struct DumpedAddress {
  int index;
  uint32_t address;
  uint8_t prefix;
};
struct DumpedRoute {
  int family;
  int oif;
  uint32_t gateway;  // IPv4, 0: none
  uint32_t table;
};
struct NetworkDump {
  std::vector<DumpedAddress> addresses;
  std::vector<DumpedRoute> routes;
};

uint32_t read32(const rtattr* attribute) {
  uint32_t value;
  std::memcpy(&value, RTA_DATA(attribute), sizeof value);
  return value;
}

void takeAddress(const nlmsghdr* header, NetworkDump& dump) {
  const auto* message = static_cast<const ifaddrmsg*>(NLMSG_DATA(header));
  if (message->ifa_family != AF_INET) return;
  auto left = static_cast<int>(IFA_PAYLOAD(header));
  const rtattr *local = nullptr, *address = nullptr;
  for (const rtattr* item = IFA_RTA(message); RTA_OK(item, left); item = RTA_NEXT(item, left)) {
    if (RTA_PAYLOAD(item) < sizeof(uint32_t)) continue;
    if (item->rta_type == IFA_LOCAL) local = item;
    if (item->rta_type == IFA_ADDRESS) address = item;  // on a point-to-point link: the other side's
  }
  const rtattr* own = local ? local : address;
  if (own) dump.addresses.push_back({static_cast<int>(message->ifa_index), ntohl(read32(own)), message->ifa_prefixlen});
}

void takeRoute(const nlmsghdr* header, NetworkDump& dump) {
  const auto* message = static_cast<const rtmsg*>(NLMSG_DATA(header));
  if (message->rtm_dst_len != 0 || message->rtm_type != RTN_UNICAST || (message->rtm_flags & RTM_F_CLONED)) return;
  if (message->rtm_family != AF_INET && message->rtm_family != AF_INET6) return;
  const int family = message->rtm_family == AF_INET ? 4 : 6;
  uint32_t table = message->rtm_table;
  struct Hop {
    int index = 0;
    uint32_t gateway = 0;
  };
  Hop single;
  std::vector<Hop> hops;
  const auto isGateway = [family](const rtattr* item) {
    return family == 4 && item->rta_type == RTA_GATEWAY && RTA_PAYLOAD(item) >= sizeof(uint32_t);
  };
  auto left = static_cast<int>(RTM_PAYLOAD(header));
  for (const rtattr* item = RTM_RTA(message); RTA_OK(item, left); item = RTA_NEXT(item, left)) {
    if (item->rta_type == RTA_TABLE && RTA_PAYLOAD(item) >= sizeof(uint32_t)) table = read32(item);
    if (item->rta_type == RTA_OIF && RTA_PAYLOAD(item) >= sizeof(uint32_t))
      single.index = static_cast<int>(read32(item));
    if (isGateway(item)) single.gateway = ntohl(read32(item));
    if (item->rta_type != RTA_MULTIPATH) continue;
    auto hopsLeft = static_cast<int>(RTA_PAYLOAD(item));
    for (auto* hop = static_cast<const rtnexthop*>(RTA_DATA(item)); RTNH_OK(hop, hopsLeft);) {
      Hop one{hop->rtnh_ifindex, 0};
      auto hopLeft = static_cast<int>(hop->rtnh_len - RTNH_LENGTH(0));
      for (const rtattr* inner = RTNH_DATA(hop); RTA_OK(inner, hopLeft); inner = RTA_NEXT(inner, hopLeft))
        if (isGateway(inner)) one.gateway = ntohl(read32(inner));
      hops.push_back(one);
      hopsLeft -= static_cast<int>(RTNH_ALIGN(hop->rtnh_len));
      hop = RTNH_NEXT(hop);
    }
  }
  if (single.index != 0) hops.push_back(single);
  for (const Hop& hop : hops) dump.routes.push_back({family, hop.index, hop.gateway, table});
}

// One dump request; 0, or the errno of what failed. EINTR: the kernel's tables changed meanwhile.
int request(int fd, uint16_t type, uint8_t family, NetworkDump& dump) {
  struct {
    nlmsghdr header;
    rtmsg body;
  } ask{};
  ask.header.nlmsg_len = NLMSG_LENGTH(sizeof ask.body);
  ask.header.nlmsg_type = type;
  ask.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  ask.body.rtm_family = family;  // an ifaddrmsg begins with its family as well
  if (send(fd, &ask, ask.header.nlmsg_len, 0) < 0) return errno;
  std::vector<uint8_t> buffer(64 << 10);
  bool changed = false;
  for (;;) {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    auto left = static_cast<unsigned>(got);
    auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data());
    for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_flags & NLM_F_DUMP_INTR) changed = true;
      if (header->nlmsg_type == NLMSG_DONE) return changed ? EINTR : 0;
      if (header->nlmsg_type == NLMSG_ERROR) return -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
      if (header->nlmsg_type == RTM_NEWADDR) takeAddress(header, dump);
      if (header->nlmsg_type == RTM_NEWROUTE) takeRoute(header, dump);
    }
  }
}

SystemFailure readNetwork(NetworkDump& dump) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return {errno, "socket"};
  // A dump that a change cut through is made again; after a few times the last one must do: the change calls for another.
  int error = EINTR;
  for (int attempt = 0; attempt < 4 && error == EINTR; attempt++) {
    dump = {};
    error = request(fd, RTM_GETADDR, AF_INET, dump);
    for (const uint8_t family : {AF_INET, AF_INET6}) {
      if (error && error != EINTR) break;
      const int next = request(fd, RTM_GETROUTE, family, dump);
      if (next) error = next;
    }
  }
  ::close(fd);
  return {error == EINTR ? 0 : error, "netlink"};
}

napi_value dumpNetwork(napi_env env, napi_callback_info) {
  NetworkDump dump;
  const SystemFailure failure = readNetwork(dump);
  if (failure.error) return throwSystemError(env, failure.error, failure.call);
  napi_value result = nullptr, addresses = nullptr, routes = nullptr;
  napi_create_object(env, &result);
  napi_create_array(env, &addresses);
  napi_create_array(env, &routes);
  uint32_t count = 0;
  for (const DumpedAddress& address : dump.addresses) {
    char name[IF_NAMESIZE] = "";
    if (!if_indextoname(static_cast<unsigned>(address.index), name)) continue;
    napi_value item = nullptr;
    napi_create_object(env, &item);
    setField(env, item, "interface", makeText(env, name));
    setField(env, item, "index", makeNumber(env, address.index));
    setField(env, item, "address", makeNumber(env, address.address));
    setField(env, item, "prefix", makeNumber(env, address.prefix));
    napi_set_element(env, addresses, count++, item);
  }
  count = 0;
  for (const DumpedRoute& route : dump.routes) {
    napi_value item = nullptr;
    napi_create_object(env, &item);
    setField(env, item, "family", makeNumber(env, route.family));
    setField(env, item, "oif", makeNumber(env, route.oif));
    setField(env, item, "gateway", makeNumber(env, route.gateway));
    setField(env, item, "table", makeNumber(env, route.table));
    napi_set_element(env, routes, count++, item);
  }
  setField(env, result, "addresses", addresses);
  setField(env, result, "defaultRoutes", routes);
  return result;
}

}  // namespace

void defineNetwork(napi_env env, napi_value exports) { defineMethods(env, exports, {{"dumpNetwork", dumpNetwork}}); }

}  // namespace shipworm
