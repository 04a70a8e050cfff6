// Carries out the commands about the adapter.
#include "adapter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace helper {

namespace {

// Packets: about 60 ms of full-size packets at 1 Gbit/s, so that a burst is not lost before the datapath wakes.
constexpr uint32_t kQueueLength = 5000;
// One preferred, the others deprecated while their flows live.
constexpr size_t kMaxAddresses = 16;

Answer failed(const std::string& what, int error) {
  return {Status::system, 0, what + " failed (" + std::strerror(error) + ")."};
}

// A setting of this one interface. Containers have /proc/sys read-only: these settings are a second line of defence,
// without a link-local address the kernel neither solicits routers nor gets an advertisement from one.
void writeSetting(const std::string& name, const char* setting, const char* value) {
  const std::string path = "/proc/sys/net/ipv6/conf/" + name + "/" + setting;
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  const ssize_t written = write(fd, value, std::strlen(value));
  static_cast<void>(written);
  close(fd);
}

// The first byte of an interface's IPv6 setting, 0 when it can't be read.
char readSetting(const std::string& name, const char* setting) {
  const std::string path = "/proc/sys/net/ipv6/conf/" + name + "/" + setting;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char value = 0;
  if (fd < 0) return 0;
  if (read(fd, &value, 1) != 1) value = 0;
  close(fd);
  return value;
}

}  // namespace

void TunDescriptors::open() {
  fds.fill(-1);
  for (int& fd : fds) {
    fd = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
      error = errno;
      return;
    }
  }
}

void TunDescriptors::closeAll() {
  for (int& fd : fds) {
    if (fd >= 0) close(fd);
    fd = -1;
  }
}

Answer Adapter::open(const Request& request, bool forwards, int filter, bool up, std::vector<int>& queues) {
  if (tried_) return {Status::badOrder, 0, "A connection makes one adapter; use another connection."};
  tried_ = true;
  Answer answer = create(request, filter);
  if (answer.status == Status::ok) answer = configure(request);
  // A system without nftables has the filter and the client's search for an owner.
  if (answer.status == Status::ok && !forwards) barrier_.raise(index_);
  if (answer.status == Status::ok && up) answer = setUp(true);
  if (answer.status != Status::ok) {
    // The device goes with its descriptors.
    index_ = 0;
    return answer;
  }
  queues.assign(descriptors_.fds.begin(), descriptors_.fds.begin() + queues_);
  answer.index = index_;
  name_ = request.name;
  return answer;
}

// Until its owner is set any user can attach to a multi-queue device. It is down then, and a stranger's queue would make the
// count below too high. With a single queue the one descriptor is attached as the device is born.
Answer Adapter::create(const Request& request, int filter) {
  if (descriptors_.fds.front() < 0) {
    if (descriptors_.error == EPERM || descriptors_.error == EACCES)
      return {Status::noTun, 0, "This system forbids the use of the TUN device (/dev/net/tun), as containers do; allow it there."};
    return {Status::noTun, 0, "This system has no TUN device (/dev/net/tun). Load it with: sudo modprobe tun"};
  }
  if (descriptors_.fds[request.queues - 1] < 0) return failed("Opening /dev/net/tun", descriptors_.error);
  // A kernel that can't have several queues serves with one.
  for (queues_ = 0; queues_ < request.queues; queues_++) {
    Answer answer;
    if (attach(request, queues_, filter, answer)) continue;
    if (answer.status != Status::ok) return answer;
    break;
  }
  index_ = if_nametoindex(request.name.c_str());
  if (!index_) return failed("Finding the adapter", errno);
  return {};
}

// False with `answer` ok where the kernel refuses another queue.
bool Adapter::attach(const Request& request, unsigned queue, int filter, Answer& answer) {
  ifreq device{};
  request.name.copy(device.ifr_name, IFNAMSIZ - 1);
  const int kind = IFF_TUN | IFF_NO_PI | (request.vnetHeader ? IFF_VNET_HDR : 0), several = request.queues > 1 ? IFF_MULTI_QUEUE : 0;
  const int fd = descriptors_.fds[queue];
  const auto join = [&](int flags) {
    device.ifr_flags = static_cast<short>(flags);
    return ioctl(fd, TUNSETIFF, &device) == 0;
  };
  if (queue > 0) return join(kind | several);
  bool joined = join(kind | several | IFF_TUN_EXCL);
  if (!joined && several && errno == EINVAL) joined = join(kind | IFF_TUN_EXCL);
  if (!joined && (errno == EBUSY || errno == EEXIST || errno == EINVAL))
    answer = {Status::busy, 0, "There is a network interface named " + request.name + " already; choose another with --adapter."};
  else if (!joined)
    answer = failed("Making the adapter", errno);
  else if (ioctl(fd, TUNSETOWNER, 0UL) < 0)
    answer = failed("Making root the adapter's owner", errno);
  else if (filter >= 0 && ioctl(fd, TUNSETFILTEREBPF, &filter) < 0)
    answer = failed("Filtering what the adapter takes", errno);
  return answer.status == Status::ok;
}

Answer Adapter::configure(const Request& request) {
  if (const int error = netlink_.open()) return failed("Opening netlink", error);
  if (const int error = netlink_.watchLinks()) return failed("Watching the adapter", error);
  if (queues_ > 1) {
    uint32_t queues = 0;
    if (const int error = netlink_.countQueues(index_, queues)) return failed("Counting the adapter's queues", error);
    if (queues != queues_) return {Status::busy, 0, "Another program attached itself to the adapter; start again."};
  }
  if (readSetting(request.name, "disable_ipv6") != '0')
    return {Status::system, 0,
            "IPv6 is switched off for new network interfaces. Allow it with: sudo sysctl net.ipv6.conf.default.disable_ipv6=0"};
  if (const int error = netlink_.configureLink(index_, request.mtu, kQueueLength)) return failed("Setting the adapter up", error);
  for (const char* setting : {"router_solicitations", "accept_ra", "autoconf", "accept_redirects"})
    writeSetting(request.name, setting, "0");
  return {};
}

// The kernel would keep nothing of an IPv6 configuration over "down" but what it was told to keep; taken away here, it is certain.
Answer Adapter::setUp(bool up) {
  if (up == up_) return {};
  if (!up)
    for (const Address& address : std::exchange(addresses_, {})) netlink_.removeAddress(index_, address);
  if (const int error = netlink_.setUp(index_, up)) return failed(up ? "Bringing the adapter up" : "Taking the adapter down", error);
  up_ = up;
  return {};
}

Answer Adapter::setAddress(const Request& request) {
  const auto held = std::find(addresses_.begin(), addresses_.end(), request.address);
  if (held == addresses_.end() && addresses_.size() >= kMaxAddresses)
    return {Status::badOrder, 0, "The adapter has 16 addresses already; remove one first."};
  if (const int error = netlink_.setAddress(index_, request.address, request.on)) return failed("Setting the address", error);
  if (held == addresses_.end()) addresses_.push_back(request.address);
  return {};
}

Answer Adapter::removeAddress(const Request& request) {
  // Taken down it has lost them all.
  if (!up_) return {};
  const auto held = std::find(addresses_.begin(), addresses_.end(), request.address);
  if (held == addresses_.end()) return {Status::badOrder, 0, "The adapter doesn't have this address."};
  addresses_.erase(held);
  const int error = netlink_.removeAddress(index_, request.address);
  // Somebody else removed it: what was asked for is so.
  if (error && error != EADDRNOTAVAIL) return failed("Removing the address", error);
  return {};
}

Answer Adapter::setDefaultRoute(const Request& request) {
  if (const int error = netlink_.setDefaultRoute(index_, request.on)) return failed("Changing the default route", error);
  return {};
}

Answer Adapter::addTeredoRoute() {
  const int error = netlink_.addTeredoRoute(index_);
  if (error == EEXIST)
    return {Status::busy, 0, "This machine routes 2001::/32 to somewhere else already (see: ip -6 route); end what does that first."};
  return error ? failed("Adding the route to 2001::/32", error) : Answer{};
}

}  // namespace helper
