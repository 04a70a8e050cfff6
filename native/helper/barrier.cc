// Talks nfnetlink once: a table, a chain at the forward hook, and a rule for each way, in one transaction.
#include "barrier.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv6.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <iterator>
#include <string>

#include "message.h"

namespace helper {

namespace {

// linux/netfilter/nf_tables.h of older systems doesn't name it (Linux 5.12).
constexpr uint32_t kOwnedTable = 2;
constexpr char kChain[] = "forward";
// A transaction takes milliseconds; a kernel that says nothing to it must not hang the helper.
constexpr timeval kPatience{2, 0};

class Message : public NetlinkMessage {
 public:
  Message(uint8_t kind, uint16_t flags)
      : NetlinkMessage(static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | kind), flags, nfgenmsg{NFPROTO_IPV6, NFNETLINK_V0, 0}) {}
  void number(uint16_t type, uint32_t value) { add32(type, htonl(value)); }
  void text(uint16_t type, const std::string& value) { add(type, value.c_str(), value.size() + 1); }
  template <typename Fill>
  void nest(uint16_t type, Fill fill) {
    const size_t at = begin(type);
    fill();
    end(at);
  }
  template <typename Fill>
  void expression(const char* name, Fill fill) {
    nest(NFTA_LIST_ELEM, [&] {
      text(NFTA_EXPR_NAME, name);
      nest(NFTA_EXPR_DATA, fill);
    });
  }
};

NetlinkMessage boundary(uint16_t type) {
  return NetlinkMessage(type, 0, nfgenmsg{AF_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES)});
}

// A name of its own for every interface: another Shipworm may just be leaving.
Message table(const std::string& name) {
  Message message(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
  message.text(NFTA_TABLE_NAME, name);
  message.number(NFTA_TABLE_FLAGS, kOwnedTable);
  return message;
}

// Before all others: what they give to a flow table would pass us by.
Message chain(const std::string& name) {
  Message message(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
  message.text(NFTA_CHAIN_TABLE, name);
  message.text(NFTA_CHAIN_NAME, kChain);
  message.nest(NFTA_CHAIN_HOOK, [&] {
    message.number(NFTA_HOOK_HOOKNUM, NF_INET_FORWARD);
    message.number(NFTA_HOOK_PRIORITY, static_cast<uint32_t>(NF_IP6_PRI_FIRST));
  });
  message.text(NFTA_CHAIN_TYPE, "filter");
  return message;
}

// `key`: NFT_META_IIF or NFT_META_OIF. An index outlives a change of the name.
Message rule(const std::string& name, uint32_t key, uint32_t interface) {
  Message message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);
  message.text(NFTA_RULE_TABLE, name);
  message.text(NFTA_RULE_CHAIN, kChain);
  message.nest(NFTA_RULE_EXPRESSIONS, [&] {
    message.expression("meta", [&] {
      message.number(NFTA_META_KEY, key);
      message.number(NFTA_META_DREG, NFT_REG_1);
    });
    message.expression("cmp", [&] {
      message.number(NFTA_CMP_SREG, NFT_REG_1);
      message.number(NFTA_CMP_OP, NFT_CMP_EQ);
      message.nest(NFTA_CMP_DATA, [&] { message.add32(NFTA_DATA_VALUE, interface); });
    });
    message.expression("counter", [] {});
    message.expression("immediate", [&] {
      message.number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
      message.nest(NFTA_IMMEDIATE_DATA, [&] {
        message.nest(NFTA_DATA_VERDICT, [&] { message.number(NFTA_VERDICT_CODE, NF_DROP); });
      });
    });
  });
  return message;
}

}  // namespace

Barrier::~Barrier() {
  if (fd_ >= 0) close(fd_);
}

int Barrier::raise(uint32_t interface) {
  fd_ = openNetlink(NETLINK_NETFILTER);
  if (fd_ < 0) return errno;
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  const std::string name = "shipworm-" + std::to_string(interface);
  NetlinkMessage messages[] = {boundary(NFNL_MSG_BATCH_BEGIN), table(name), chain(name), rule(name, NFT_META_IIF, interface),
                               rule(name, NFT_META_OIF, interface), boundary(NFNL_MSG_BATCH_END)};
  constexpr size_t kCount = std::size(messages);
  nlmsghdr* finished[kCount];
  for (uint32_t i = 0; i < kCount; i++) finished[i] = messages[i].finish(i);
  if (const int error = sendNetlink(fd_, finished)) return error;
  // All of it or nothing: the first error is the answer, or that the last rule is there.
  int result = 0;
  const int failed = readNetlink(fd_, [&](const nlmsghdr* item) {
    if (item->nlmsg_type != NLMSG_ERROR) return false;
    result = -static_cast<const nlmsgerr*>(NLMSG_DATA(item))->error;
    return result != 0 || item->nlmsg_seq == kCount - 2;
  });
  return failed ? failed : result;
}

}  // namespace helper
