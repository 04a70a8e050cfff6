// What every thread of the datapath asks of the tables, and how it writes to the adapter.
#include "state.h"

#include <errno.h>
#include <sys/random.h>

#include <algorithm>
#include <system_error>

namespace shipworm {

namespace {

// Whoever could guess it could choose addresses that all fall into one place of a table.
HashKey randomKey() {
  HashKey key{};
  // So few bytes come whole or not at all (getrandom(2)).
  if (getrandom(&key, sizeof key, 0) != sizeof key) throw std::system_error(errno, std::generic_category(), "getrandom");
  return key;
}

// An owner is found within milliseconds. After this long a verdict that never came is asked for again.
constexpr uint32_t kWaitMs = 2'000;

}  // namespace

State::State(DatapathConfig given)
    : config(std::move(given)),
      peers(config.maxPeers, grace, randomKey()),
      flows(config.maxFlows, grace, randomKey()),
      addresses(grace),
      ranges(grace),
      servers(grace) {}

Outcome State::verdict(const Packet& packet, bool inward, double now) const {
  if (packet.named) {
    const FlowKey key{
        .local = inward ? packet.destination : packet.source,
        .remote = inward ? packet.source : packet.destination,
        .localPort = inward ? packet.destinationPort : packet.sourcePort,
        .remotePort = packet.echo ? uint16_t{0} : inward ? packet.sourcePort : packet.destinationPort,
        .protocol = packet.protocol,
    };
    if (const Flow* flow = flows.find(key)) {
      const Verdict verdict = flow->verdict.load(std::memory_order_acquire);
      if (verdict != Verdict::wait) return verdict == Verdict::drop ? Outcome::dropped : Outcome::passed;
      const uint32_t waited = clockBits(now) - flow->sinceMs.load(std::memory_order_relaxed);
      if (inward && waited < kWaitMs) return Outcome::waits;
    }
  }
  return defaultPass.load(std::memory_order_relaxed) ? Outcome::passed : Outcome::up;
}

bool State::isOurs(const Address& address) const {
  const auto& ours = addresses.read();
  if (std::find(ours.begin(), ours.end(), address) != ours.end()) return true;
  const auto& [accept, except] = ranges.read();
  const auto has = [&](const Range& range) { return range.has(address); };
  return std::any_of(accept.begin(), accept.end(), has) && std::none_of(except.begin(), except.end(), has);
}

bool State::writeAdapter(int tun, iovec* parts, int count) {
  ssize_t written;
  do {
    written = pwritev2(tun, parts, count, -1, RWF_NOWAIT);
    // Before Linux 5.12. An adapter takes or drops at once all the same.
    if (written < 0 && errno == EOPNOTSUPP) written = writev(tun, parts, count);
  } while (written < 0 && errno == EINTR);
  if (written >= 0) return true;
  counters.add(Counter::deliverErrors);
  if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
    counters.add(Counter::writeNoBuffers);
  else
    counters.add(errno == EIO ? Counter::writeDown : Counter::writeInvalid);
  return false;
}

bool State::writePlain(int tun, const uint8_t* bytes, size_t length) {
  uint8_t noOffload[kVnetHeader] = {};
  iovec parts[2] = {{noOffload, kVnetHeader}, {const_cast<uint8_t*>(bytes), length}};
  const int skip = config.vnetHeader ? 0 : 1;
  return writeAdapter(tun, parts + skip, 2 - skip);
}

void State::wakeWriter() {
  if (!wakePending.exchange(true)) config.wake();
}

void State::fail(const char* text) {
  const char* none = nullptr;
  if (failure.compare_exchange_strong(none, text)) wakeWriter();
}

}  // namespace shipworm
