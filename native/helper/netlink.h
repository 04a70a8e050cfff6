// Talks rtnetlink about one interface: link settings, addresses, the default route, and whether it is still there.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "protocol.h"

struct nlmsghdr;

namespace helper {

// Every call returns 0 or the errno with which the kernel refused it.
class Netlink {
 public:
  Netlink() = default;
  ~Netlink();
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  int open();
  // MTU, transmit queue, and no link-local address: a solicitation would need one.
  int configureLink(uint32_t index, uint32_t mtu, uint32_t queueLength);
  // Up or down.
  int setUp(uint32_t index, bool up);
  // How many queues are attached to or set aside for a multi-queue TUN device.
  int countQueues(uint32_t index, uint32_t& queues);
  int setAddress(uint32_t index, const Address& address, bool preferred);
  int removeAddress(uint32_t index, const Address& address);
  int setDefaultRoute(uint32_t index, bool on);
  // The route to all of Teredo, 2001::/32; it goes with the interface.
  int addTeredoRoute(uint32_t index);

  // A descriptor that becomes readable when links change; `linkGone` then says whether `index` went.
  int watchLinks();
  int watchFd() const { return watch_; }
  bool linkGone(uint32_t index);

 private:
  class Message;
  using Reader = std::function<void(const nlmsghdr*)>;
  int request(Message& message, const Reader& read = {});
  int linkMessage(uint32_t index, uint32_t flags, uint32_t change, const std::function<void(Message&)>& fill);

  int fd_ = -1;
  int watch_ = -1;
  uint32_t sequence_ = 0;
};

}  // namespace helper
