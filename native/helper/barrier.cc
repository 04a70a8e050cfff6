// Talks nfnetlink: a table, a chain at the forward hook with a rule for each way, and one at the output hook with a rule for each user.
#include "barrier.h"

#include <errno.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv6.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "message.h"

namespace helper {

namespace {

// linux/netfilter/nf_tables.h of older systems doesn't name it (Linux 5.12).
constexpr uint32_t kOwnedTable = 2;
constexpr char kForward[] = "forward", kOutput[] = "output";
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

Message table(const std::string& name) {
  Message message(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
  message.text(NFTA_TABLE_NAME, name);
  message.number(NFTA_TABLE_FLAGS, kOwnedTable);
  return message;
}

// Before all others: what they give to a flow table would pass us by.
Message chain(const std::string& table, const char* name, uint32_t hook) {
  Message message(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
  message.text(NFTA_CHAIN_TABLE, table);
  message.text(NFTA_CHAIN_NAME, name);
  message.nest(NFTA_CHAIN_HOOK, [&] {
    message.number(NFTA_HOOK_HOOKNUM, hook);
    message.number(NFTA_HOOK_PRIORITY, static_cast<uint32_t>(NF_IP6_PRI_FIRST));
  });
  message.text(NFTA_CHAIN_TYPE, "filter");
  return message;
}

// The value `key` of a packet; the rule is about no packet that has none.
void load(Message& message, uint32_t key) {
  message.expression("meta", [&] {
    message.number(NFTA_META_KEY, key);
    message.number(NFTA_META_DREG, NFT_REG_1);
  });
}

// `value` has the length of what is loaded.
template <typename Value>
void loadEqual(Message& message, uint32_t key, Value value) {
  load(message, key);
  message.expression("cmp", [&] {
    message.number(NFTA_CMP_SREG, NFT_REG_1);
    message.number(NFTA_CMP_OP, NFT_CMP_EQ);
    message.nest(NFTA_CMP_DATA, [&] { message.add(NFTA_DATA_VALUE, &value, sizeof value); });
  });
}

void decide(Message& message, uint32_t verdict) {
  message.expression("counter", [] {});
  message.expression("immediate", [&] {
    message.number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    message.nest(NFTA_IMMEDIATE_DATA, [&] { message.nest(NFTA_DATA_VERDICT, [&] { message.number(NFTA_VERDICT_CODE, verdict); }); });
  });
}

// Its sender hears EPERM, and a TCP connection, which would go on trying, ECONNREFUSED: an ICMPv6 error would come while its socket is busy
// sending, and count only with the next try.
void reject(Message& message, nft_reject_types how) {
  constexpr uint8_t kProhibited = 1;  // ICMPv6 type 1 code 1, "administratively prohibited" (RFC 4443 §3.1)
  message.expression("counter", [] {});
  message.expression("reject", [&] {
    message.number(NFTA_REJECT_TYPE, how);
    if (how == NFT_REJECT_ICMP_UNREACH) message.add(NFTA_REJECT_ICMP_CODE, &kProhibited, sizeof kProhibited);
  });
}

// `fill` writes its expressions, in order.
template <typename Fill>
Message rule(const std::string& table, const char* chain, Fill fill) {
  Message message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);
  message.text(NFTA_RULE_TABLE, table);
  message.text(NFTA_RULE_CHAIN, chain);
  message.nest(NFTA_RULE_EXPRESSIONS, [&] { fill(message); });
  return message;
}

// All of them or none; the last is a rule. 0 or the errno.
int transact(int fd, const std::vector<Message>& changes) {
  std::vector<NetlinkMessage> messages{boundary(NFNL_MSG_BATCH_BEGIN)};
  messages.insert(messages.end(), changes.begin(), changes.end());
  messages.push_back(boundary(NFNL_MSG_BATCH_END));
  std::vector<nlmsghdr*> finished;
  for (NetlinkMessage& message : messages) finished.push_back(message.finish(static_cast<uint32_t>(finished.size())));
  if (const int error = sendNetlink(fd, finished)) return error;
  // The first error is the answer, or that the last rule is there.
  int result = 0;
  const int failed = readNetlink(fd, [&](const nlmsghdr* item) {
    if (item->nlmsg_type != NLMSG_ERROR) return false;
    result = -static_cast<const nlmsgerr*>(NLMSG_DATA(item))->error;
    return result != 0 || item->nlmsg_seq == changes.size();
  });
  return failed ? failed : result;
}

}  // namespace

Barrier::~Barrier() {
  if (fd_ >= 0) close(fd_);
}

int Barrier::raise(uint32_t interface) {
  fd_ = openNetlink(NETLINK_NETFILTER);
  if (fd_ < 0) return errno;
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  interface_ = interface;
  // A name of its own for every interface: another Shipworm may just be leaving.
  table_ = "shipworm-" + std::to_string(interface);
  const auto drop = [&](uint32_t key) {
    return rule(table_, kForward, [&](Message& message) {
      // An index outlives a change of the name.
      loadEqual(message, key, interface_);
      decide(message, NF_DROP);
    });
  };
  return transact(fd_, {table(table_), chain(table_, kForward, NF_INET_FORWARD), drop(NFT_META_IIF), drop(NFT_META_OIF)});
}

int Barrier::admitOnly(const owners::Subjects& users) {
  std::vector<Message> changes{chain(table_, kOutput, NF_INET_LOCAL_OUT)};
  const auto admit = [&](uint32_t user) {
    changes.push_back(rule(table_, kOutput, [&](Message& message) {
      loadEqual(message, NFT_META_OIF, interface_);
      loadEqual(message, NFT_META_SKUID, user);
      decide(message, NF_ACCEPT);
    }));
  };
  admit(users.client);
  for (uint32_t i = 0; i < users.count; i++) admit(users.others[i]);
  const auto refuse = [&](nft_reject_types how) {
    changes.push_back(rule(table_, kOutput, [&](Message& message) {
      loadEqual(message, NFT_META_OIF, interface_);
      load(message, NFT_META_SKUID);
      if (how == NFT_REJECT_TCP_RST) loadEqual(message, NFT_META_L4PROTO, uint8_t{IPPROTO_TCP});
      reject(message, how);
    }));
  };
  refuse(NFT_REJECT_TCP_RST);
  refuse(NFT_REJECT_ICMP_UNREACH);
  return transact(fd_, changes);
}

}  // namespace helper
