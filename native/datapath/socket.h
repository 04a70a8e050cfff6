// Opens the UDP socket of the datapath, and turns endpoints into socket addresses and back.
#pragma once
#include <errno.h>
#include <netinet/in.h>

#include <functional>

#include "sender.h"
#include "state.h"

namespace shipworm {

// A UDP socket bound to the endpoint, sized for bursts, errors queued, DF off; -1 with `failure` set when it can't be had.
// `shared`: others that say so, too, may have the same endpoint, and the kernel spreads what comes over them.
int openUdpSocket(uint32_t ip, uint16_t port, SystemFailure& failure, bool shared = false);

// Takes what is in the socket's queue of ICMPv4 errors: `each` gets the endpoint that our datagram went to, ICMP type and code.
void readErrorQueue(int socket, const std::function<void(EndpointKey to, uint8_t type, uint8_t code)>& each);

inline sockaddr_in socketAddress(EndpointKey endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(static_cast<uint32_t>(endpoint >> 16));
  address.sin_port = htons(static_cast<uint16_t>(endpoint));
  return address;
}

inline EndpointKey endpointKey(const sockaddr_in& address) {
  return static_cast<EndpointKey>(ntohl(address.sin_addr.s_addr)) << 16 | ntohs(address.sin_port);
}

// Errors that an ICMP message for an earlier datagram leaves on the socket. Some are also a route's own answer, so a
// send that meets one is tried again this many times and then given up.
inline constexpr int kPendingErrors = 16;
inline bool isPendingError(int error) {
  return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == EPROTO ||
         error == ENOPROTOOPT || error == EHOSTDOWN || error == EOPNOTSUPP || error == EMSGSIZE || error == EACCES ||
         error == ENONET;
}

}  // namespace shipworm
