// Holds the three tables that the engine writes and the threads of the datapath read: addresses, peers, flows.
#pragma once
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <deque>
#include <memory>
#include <new>
#include <vector>

#include "grace.h"
#include "packet.h"

namespace shipworm {

// Keyed hashing: a stranger who can make flows must not be able to choose where they land.
struct HashKey {
  uint64_t a, b;
};

inline uint64_t foldMultiply(uint64_t x, uint64_t y) {
  const auto product = static_cast<unsigned __int128>(x) * y;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t hashAddress(const Address& address, const HashKey& key) {
  return foldMultiply(address.high ^ key.a, address.low ^ key.b);
}

struct FlowKey {
  Address local, remote;
  uint16_t localPort, remotePort;
  uint8_t protocol;
  bool operator==(const FlowKey&) const = default;
};

struct Peer {
  using Key = Address;
  Key key;
  std::atomic<uint64_t> endpoint;  // IPv4 address << 16 | port
  std::atomic<double> lastReceivedMs;
  std::atomic<double> lastSentMs;
  std::atomic<uint64_t> bytesIn, bytesOut, packetsIn, packetsOut;

  static uint64_t hash(const Key& key, const HashKey& secret) { return hashAddress(key, secret); }
};

// As engine/datapath/types.ts has them; the numbers come from JavaScript.
enum class Verdict : uint8_t { pass, drop, wait };

struct Flow {
  using Key = FlowKey;
  Key key;
  std::atomic<Verdict> verdict;
  std::atomic<uint32_t> sinceMs;  // of the verdict; the low bits of the clock

  static uint64_t hash(const Key& key, const HashKey& secret) {
    const uint64_t ports = static_cast<uint64_t>(key.localPort) << 32 |
                           static_cast<uint64_t>(key.remotePort) << 16 | key.protocol;
    return foldMultiply(hashAddress(key.local, secret) ^ ports, hashAddress(key.remote, secret) ^ secret.a);
  }
};

// Hash table with one writer and any number of readers. The key of an entry never changes while it is published; what may change
// in it is atomic. An entry's place is used again only after a grace period, so a stamp never lands on a stranger.
template <class Entry>
class Table {
 public:
  using Key = typename Entry::Key;

  Table(uint32_t max, Grace& grace, const HashKey& secret)
      : max_(max), grace_(grace), secret_(secret), index_(grace) {
    // Untouched pages cost nothing, so the place for all entries is taken at once.
    void* place = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) throw std::bad_alloc();
    entries_ = static_cast<Entry*>(place);
    index_.replace(std::make_unique<Index>(kSmallest));
  }
  ~Table() { munmap(entries_, bytes()); }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // Readers and writer.
  Entry* find(const Key& key) const {
    const Found found = locate(index_.read(), key);
    return found.cell == kNowhere ? nullptr : &entries_[found.place];
  }

  // Writer: the entry of `key`, which is not there yet; null when the table is full. `fill` sets what is not the key.
  template <class Fill>
  Entry* insert(const Key& key, Fill fill) {
    const uint32_t place = take();
    if (place == kNowhere) return nullptr;
    Entry* entry = new (&entries_[place]) Entry{};
    entry->key = key;
    fill(*entry);
    if ((used_ + 1) * 2 > index_.own().size()) rebuild(live_ + 1);
    if (put(index_.own(), key, place)) used_++;
    live_++;
    return entry;
  }

  // Writer.
  bool erase(const Key& key) {
    Index& index = index_.own();
    const Found found = locate(index, key);
    if (found.cell == kNowhere) return false;
    index.cells[found.cell].store(kErased, std::memory_order_seq_cst);
    resting_.push_back({grace_.ticket(), found.place});
    live_--;
    return true;
  }

  // Writer.
  void clear() {
    std::vector<uint32_t> places;
    for (const auto& cell : index_.own().cells)
      if (const uint32_t value = cell.load(std::memory_order_relaxed); value >= kFirst) places.push_back(value - kFirst);
    index_.replace(std::make_unique<Index>(kSmallest));
    const uint64_t ticket = grace_.ticket();
    for (const uint32_t place : places) resting_.push_back({ticket, place});
    used_ = live_ = 0;
  }

 private:
  static constexpr uint32_t kEmpty = 0, kErased = 1, kFirst = 2;  // a cell: one of these, or kFirst + place of the entry
  static constexpr uint32_t kNowhere = UINT32_MAX;
  static constexpr uint32_t kSmallest = 256;

  struct Index {
    explicit Index(uint32_t size = 1) : cells(size) {}
    std::vector<std::atomic<uint32_t>> cells;
    uint32_t size() const { return static_cast<uint32_t>(cells.size()); }
    uint32_t mask() const { return size() - 1; }
  };
  struct Found {
    uint32_t cell, place;
  };
  struct Resting {
    uint64_t ticket;
    uint32_t place;
  };

  size_t bytes() const { return sizeof(Entry) * static_cast<size_t>(max_); }

  Found locate(const Index& index, const Key& key) const {
    uint32_t cell = static_cast<uint32_t>(Entry::hash(key, secret_)) & index.mask();
    for (uint32_t step = 0; step < index.size(); step++, cell = (cell + 1) & index.mask()) {
      const uint32_t value = index.cells[cell].load(std::memory_order_acquire);
      if (value == kEmpty) break;
      if (value >= kFirst && entries_[value - kFirst].key == key) return {cell, value - kFirst};
    }
    return {kNowhere, kNowhere};
  }

  // True when an empty cell was taken, false when an erased one was.
  bool put(Index& index, const Key& key, uint32_t place) {
    uint32_t cell = static_cast<uint32_t>(Entry::hash(key, secret_)) & index.mask();
    uint32_t value;
    while ((value = index.cells[cell].load(std::memory_order_relaxed)) >= kFirst) cell = (cell + 1) & index.mask();
    index.cells[cell].store(place + kFirst, std::memory_order_release);
    return value == kEmpty;
  }

  // At most a quarter full afterwards, and no erased cells.
  void rebuild(uint32_t live) {
    auto next = std::make_unique<Index>(std::max(kSmallest, std::bit_ceil(live * 4)));
    for (const auto& cell : index_.own().cells)
      if (const uint32_t value = cell.load(std::memory_order_relaxed); value >= kFirst)
        put(*next, entries_[value - kFirst].key, value - kFirst);
    index_.replace(std::move(next));
    used_ = live_;
  }

  uint32_t take() {
    if (!resting_.empty() && grace_.passed(resting_.front().ticket)) {
      const uint32_t place = resting_.front().place;
      resting_.pop_front();
      return place;
    }
    return touched_ < max_ ? touched_++ : kNowhere;
  }

  const uint32_t max_;
  Grace& grace_;
  const HashKey secret_;
  Entry* entries_;
  Published<Index> index_;
  std::deque<Resting> resting_;
  uint32_t touched_ = 0;
  uint32_t live_ = 0;
  uint32_t used_ = 0;  // cells that are not empty
};

}  // namespace shipworm
