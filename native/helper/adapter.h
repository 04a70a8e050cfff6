// Makes the TUN adapter: a device that belongs to root, exists only as long as its descriptors, and never touches another one.
#pragma once
#include <array>
#include <vector>

#include "barrier.h"
#include "netlink.h"
#include "protocol.h"

namespace helper {

// Descriptors of /dev/net/tun, opened while the process may still open it; each becomes a queue or is closed.
struct TunDescriptors {
  std::array<int, kMaxQueues> fds;
  int error = 0;  // errno of opening, when there are none
  void open();
  void closeAll();
};

class Adapter {
 public:
  explicit Adapter(TunDescriptors& descriptors) : descriptors_(descriptors) {}
  // Makes the device and brings it up; one attempt only, since this process can't open /dev/net/tun again. The queues are to be handed over and then closed: the device lives by the client's copies.
  // `forwards`: a relay's. Else what is forwarded is kept out of it, both ways; `filter` is a socket filter program that does so too, or -1.
  // `up` false: it carries nothing before `setUp`.
  Answer open(const Request& request, bool forwards, int filter, bool up, std::vector<int>& queues);
  // Down, it has lost its addresses and routes, and neither gives packets to its user nor takes any.
  Answer setUp(bool up);
  // Programs of other users can't send by it any more.
  void admitOnly(const owners::Subjects& users) { barrier_.admitOnly(users); }
  Answer setAddress(const Request& request);
  Answer removeAddress(const Request& request);
  Answer setDefaultRoute(const Request& request);
  // A relay's adapter has no address of its own.
  Answer addTeredoRoute();
  uint32_t index() const { return index_; }
  const std::string& name() const { return name_; }
  const std::vector<Address>& addresses() const { return addresses_; }
  bool tried() const { return tried_; }
  bool isOpen() const { return index_ != 0; }
  bool isUp() const { return up_; }
  int watchFd() const { return netlink_.watchFd(); }
  bool gone() { return netlink_.linkGone(index_); }

 private:
  Answer create(const Request& request, int filter);
  bool attach(const Request& request, unsigned queue, int filter, Answer& answer);
  Answer configure(const Request& request);

  TunDescriptors& descriptors_;
  Netlink netlink_;
  Barrier barrier_;
  uint32_t index_ = 0;
  unsigned queues_ = 0;
  bool tried_ = false;
  bool up_ = false;
  std::string name_;
  std::vector<Address> addresses_;
};

}  // namespace helper
