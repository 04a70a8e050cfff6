// Builds netlink messages (a head, a body of fixed size, attributes) and carries them to the kernel and back.
#pragma once
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <span>
#include <vector>

namespace helper {

// All messages are of known, small size: running out of room is a fault of this program.
class NetlinkMessage {
 public:
  template <typename Body>
  NetlinkMessage(uint16_t type, uint16_t flags, const Body& body) {
    auto* head = new (bytes_) nlmsghdr{};
    head->nlmsg_type = type;
    head->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    length_ = NLMSG_HDRLEN;
    append(&body, sizeof body);
  }
  void add(uint16_t type, const void* data, size_t size) {
    const rtattr attribute{static_cast<unsigned short>(RTA_LENGTH(size)), type};
    append(&attribute, sizeof attribute);
    append(data, size);
  }
  void add32(uint16_t type, uint32_t value) { add(type, &value, sizeof value); }
  size_t begin(uint16_t type) {
    const size_t at = length_;
    add(static_cast<uint16_t>(type | NLA_F_NESTED), nullptr, 0);
    return at;
  }
  void end(size_t at) { reinterpret_cast<rtattr*>(bytes_ + at)->rta_len = static_cast<unsigned short>(length_ - at); }
  nlmsghdr* finish(uint32_t sequence) {
    auto* head = reinterpret_cast<nlmsghdr*>(bytes_);
    head->nlmsg_len = static_cast<uint32_t>(length_);
    head->nlmsg_seq = sequence;
    return head;
  }

 private:
  void append(const void* data, size_t size) {
    if (length_ + NLMSG_ALIGN(size) > sizeof bytes_) abort();
    if (size) std::memcpy(bytes_ + length_, data, size);
    length_ += NLMSG_ALIGN(size);
  }
  alignas(nlmsghdr) uint8_t bytes_[512] = {};
  size_t length_ = 0;
};

// A bound netlink socket; -1 with errno set.
int openNetlink(int protocol, uint32_t groups = 0, int flags = 0);
// Finished messages, together. 0 or the errno.
int sendNetlink(int fd, std::span<nlmsghdr* const> messages);
// Gives `visit` what the kernel says until it returns true. 0 or the errno.
int readNetlink(int fd, const std::function<bool(const nlmsghdr*)>& visit);

}  // namespace helper
