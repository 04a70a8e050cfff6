// Holds the three tables that the engine writes and the threads of the datapath read: addresses, peers, flows.
#pragma once
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <new>
#include <utility>
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
// in it is atomic. An entry's place is used again only after a grace period, so a stamp never lands on a stranger. Nothing that the
// writer does takes longer the more entries there are: the index is in parts that are made anew one by one, and of the places
// those blocks are given back to the system which nobody uses.
template <class Entry>
class Table {
 public:
  using Key = typename Entry::Key;

  Table(uint32_t max, Grace& grace, const HashKey& secret)
      : max_(max), grace_(grace), secret_(secret), parts_(parts(grace, std::make_index_sequence<kParts>())), blocks_(max / kBlock + 1) {
    // Untouched pages cost nothing, so the place for all entries is taken at once.
    void* place = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) throw std::bad_alloc();
    entries_ = static_cast<Entry*>(place);
    for (Part& part : parts_) part.index.replace(std::make_unique<Index>(kSmallest));
  }
  ~Table() { munmap(entries_, bytes()); }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // Readers and writer.
  Entry* find(const Key& key) const {
    const uint64_t hash = Entry::hash(key, secret_);
    const Found found = locate(parts_[partOf(hash)].index.read(), key, hash);
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
    const uint64_t hash = Entry::hash(key, secret_);
    Part& part = parts_[partOf(hash)];
    if ((part.used + 1) * 2 > part.index.own().size()) rebuild(part, part.live + 1);
    if (put(part.index.own(), hash, place)) part.used++;
    part.live++;
    return entry;
  }

  // Writer.
  bool erase(const Key& key) {
    const uint64_t hash = Entry::hash(key, secret_);
    Part& part = parts_[partOf(hash)];
    const Found found = locate(part.index.own(), key, hash);
    if (found.cell == kNowhere) return false;
    part.index.own().cells[found.cell].store(kErased, std::memory_order_seq_cst);
    resting_.push_back({grace_.ticket(), found.place});
    part.live--;
    if (part.index.own().size() > std::max(kSmallest, part.live * 16)) rebuild(part, part.live);
    endRests();
    return true;
  }

  // Writer.
  void clear() {
    std::vector<uint32_t> places;
    for (Part& part : parts_) {
      for (const auto& cell : part.index.own().cells)
        if (const uint32_t value = cell.load(std::memory_order_relaxed); value >= kFirst) places.push_back(value - kFirst);
      part.index.replace(std::make_unique<Index>(kSmallest));
      part.used = part.live = 0;
    }
    const uint64_t ticket = grace_.ticket();
    for (const uint32_t place : places) resting_.push_back({ticket, place});
  }

 private:
  static constexpr uint32_t kEmpty = 0, kErased = 1, kFirst = 2;  // a cell: one of these, or kFirst + place of the entry
  static constexpr uint32_t kNowhere = UINT32_MAX;
  static constexpr uint32_t kSmallest = 8;
  // With a million entries one part is made anew in less than a millisecond.
  static constexpr uint32_t kPartBits = 7, kParts = 1 << kPartBits;
  // Places that are given back together: whole pages.
  static constexpr uint32_t kBlock = 1024;
  static_assert(sizeof(Entry) * kBlock % 4096 == 0);
  // Of those whose rest is over: more than one for each that begins, so that they never pile up.
  static constexpr int kEnded = 4;

  struct Index {
    explicit Index(uint32_t size = 1) : cells(size) {}
    std::vector<std::atomic<uint32_t>> cells;
    uint32_t size() const { return static_cast<uint32_t>(cells.size()); }
    uint32_t mask() const { return size() - 1; }
  };
  struct Part {
    explicit Part(Grace& grace) : index(grace) {}
    Published<Index> index;
    uint32_t live = 0;
    uint32_t used = 0;  // cells that are not empty
  };
  // Places `touched` and behind were not used since the system gave, or got back, their memory. A free one before holds the number of the next.
  struct Block {
    uint32_t busy = 0;  // published or resting
    uint32_t touched = 0;
    uint32_t free = kNowhere;
  };
  struct Found {
    uint32_t cell, place;
  };
  struct Resting {
    uint64_t ticket;
    uint32_t place;
  };

  template <size_t>
  static Part partFor(Grace& grace) {
    return Part(grace);
  }
  template <size_t... numbers>
  static std::array<Part, kParts> parts(Grace& grace, std::index_sequence<numbers...>) {
    return {{partFor<numbers>(grace)...}};
  }

  size_t bytes() const { return sizeof(Entry) * static_cast<size_t>(max_); }

  // The cells are chosen by the low bits.
  static uint32_t partOf(uint64_t hash) { return static_cast<uint32_t>(hash >> (64 - kPartBits)); }

  Found locate(const Index& index, const Key& key, uint64_t hash) const {
    uint32_t cell = static_cast<uint32_t>(hash) & index.mask();
    for (uint32_t step = 0; step < index.size(); step++, cell = (cell + 1) & index.mask()) {
      const uint32_t value = index.cells[cell].load(std::memory_order_acquire);
      if (value == kEmpty) break;
      if (value >= kFirst && entries_[value - kFirst].key == key) return {cell, value - kFirst};
    }
    return {kNowhere, kNowhere};
  }

  // True when an empty cell was taken, false when an erased one was.
  bool put(Index& index, uint64_t hash, uint32_t place) {
    uint32_t cell = static_cast<uint32_t>(hash) & index.mask();
    uint32_t value;
    while ((value = index.cells[cell].load(std::memory_order_relaxed)) >= kFirst) cell = (cell + 1) & index.mask();
    index.cells[cell].store(place + kFirst, std::memory_order_release);
    return value == kEmpty;
  }

  // At most a quarter full afterwards, and no erased cells.
  void rebuild(Part& part, uint32_t live) {
    auto next = std::make_unique<Index>(std::max(kSmallest, std::bit_ceil(live * 4)));
    for (const auto& cell : part.index.own().cells)
      if (const uint32_t value = cell.load(std::memory_order_relaxed); value >= kFirst)
        put(*next, Entry::hash(entries_[value - kFirst].key, secret_), value - kFirst);
    part.index.replace(std::move(next));
    part.used = part.live;
  }

  // The first place that is free, so that what is used stays together.
  uint32_t take() {
    endRests();
    for (;; roomy_++) {
      if (roomy_ == blocks_.size()) return roomy_ = 0, kNowhere;
      Block& block = blocks_[roomy_];
      const uint32_t first = roomy_ * kBlock;
      uint32_t place = block.free;
      if (place != kNowhere)
        std::memcpy(&block.free, static_cast<void*>(&entries_[place]), sizeof block.free);
      else if (block.touched < std::min(kBlock, max_ - first))
        place = first + block.touched++;
      else
        continue;
      block.busy++;
      return place;
    }
  }

  void endRests() {
    for (int i = 0; i < kEnded && !resting_.empty() && grace_.passed(resting_.front().ticket); i++) {
      const uint32_t place = resting_.front().place, number = place / kBlock;
      resting_.pop_front();
      Block& block = blocks_[number];
      std::memcpy(static_cast<void*>(&entries_[place]), &block.free, sizeof block.free);
      block.free = place;
      block.busy--;
      // The first block with room stays even if it is empty: what comes next goes there.
      const uint32_t before = roomy_;
      roomy_ = std::min(before, number);
      giveBack(number);
      giveBack(before);
    }
  }

  void giveBack(uint32_t number) {
    if (number == roomy_ || blocks_[number].busy > 0 || blocks_[number].touched == 0) return;
    const uint32_t first = number * kBlock;
    // Where pages are larger than 4 kB the system may refuse; then the memory stays ours.
    madvise(static_cast<void*>(&entries_[first]), sizeof(Entry) * std::min(kBlock, max_ - first), MADV_DONTNEED);
    blocks_[number] = {};
  }

  const uint32_t max_;
  Grace& grace_;
  const HashKey secret_;
  Entry* entries_;
  std::array<Part, kParts> parts_;
  std::deque<Resting> resting_;
  std::vector<Block> blocks_;
  uint32_t roomy_ = 0;  // no block before it has room
};

}  // namespace shipworm
