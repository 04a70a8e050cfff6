// Fills the datapath's tables, looks everything up, and prints what each entry costs: memory while it is there and
// after it has gone, time for a look-up and how many keys it compares, and how many entries were moved at most at once.
//
//   tables peers COUNT | tables flows COUNT     prints one line of JSON
//   tables grace ROUNDS                         what a thread has found, while another takes it away: one line of JSON
#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../../../native/datapath/tables.h"

using namespace shipworm;

static double seconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

// Bytes of memory that are there, not only promised.
static double resident() {
  long whole = 0, pages = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (!file || std::fscanf(file, "%ld %ld", &whole, &pages) != 2) std::abort();
  std::fclose(file);
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// Addresses as a hostile host would choose them: one after another.
static Address addressOf(uint32_t i) { return {0x01020304, uint64_t{i} << 32}; }

template <class Entry>
static typename Entry::Key keyOf(uint32_t i);
template <>
Address keyOf<Peer>(uint32_t i) {
  return addressOf(i);
}
template <>
FlowKey keyOf<Flow>(uint32_t i) {
  return {.local = addressOf(0), .remote = addressOf(i >> 8), .localPort = static_cast<uint16_t>(i & 255), .remotePort = 443, .protocol = 6};
}

// A peer that counts how often its key is compared, and hashed.
struct Counted : Peer {
  struct Key : Address {
    static inline uint64_t comparisons = 0, hashes = 0;
    bool operator==(const Key& other) const {
      comparisons++;
      return Address::operator==(other);
    }
  };
  Key key;
  static uint64_t hash(const Key& key, const HashKey& secret) {
    Key::hashes++;
    return hashAddress(key, secret);
  }
};

struct Effort {
  double comparisons;  // of keys, for each look-up of one that is there
  uint64_t longest;    // hashes of one insertion or removal: so many entries were moved
};

static Effort effort(uint32_t count) {
  Grace grace;
  Table<Counted> table(count, grace, {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f});
  uint64_t longest = 0;
  const auto each = [&](auto act) {
    for (uint32_t i = 0; i < count; i++) {
      Counted::Key::hashes = 0;
      act(Counted::Key{addressOf(i)});
      longest = std::max(longest, Counted::Key::hashes);
    }
  };
  each([&](const Counted::Key& key) { table.insert(key, [](Counted&) {}); });
  Counted::Key::comparisons = 0;
  each([&](const Counted::Key& key) { table.find(key); });
  const double comparisons = static_cast<double>(Counted::Key::comparisons) / count;
  each([&](const Counted::Key& key) { table.erase(key); });
  return {comparisons, longest};
}

template <class Entry>
static int run(uint32_t count) {
  Grace grace;
  const double before = resident();
  Table<Entry> table(count, grace, {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f});
  for (uint32_t i = 0; i < count; i++)
    if (!table.insert(keyOf<Entry>(i), [](Entry&) {})) return 1;
  const double bytes = (resident() - before) / count;
  if (table.insert(keyOf<Entry>(count), [](Entry&) {})) return 1;
  uint32_t found = 0, strangers = 0, place = 0;
  const double begin = seconds();
  for (uint32_t i = 0; i < count; i++) {
    // In no order that a cache could guess.
    place = static_cast<uint32_t>((uint64_t{place} + 0x9e3779b1) % count);
    const Entry* entry = table.find(keyOf<Entry>(place));
    if (entry && entry->key == keyOf<Entry>(place)) found++;
    if (table.find(keyOf<Entry>(count + i))) strangers++;
  }
  const double each = (seconds() - begin) / count / 2 * 1e9;
  for (uint32_t i = 0; i < count; i += 2) table.erase(keyOf<Entry>(i));
  uint32_t left = 0;
  for (uint32_t i = 0; i < count; i++)
    if (table.find(keyOf<Entry>(i))) left++;
  for (uint32_t i = 1; i < count; i += 2) table.erase(keyOf<Entry>(i));
  malloc_trim(0);
  const double kept = (resident() - before) / count;
  const auto [comparisons, longest] = effort(count);
  std::printf("{\"bytes\":%.1f,\"kept\":%.1f,\"found\":%u,\"strangers\":%u,\"left\":%u,\"nanoseconds\":%.1f,\"comparisons\":%.2f,\"longest\":%lu}\n", bytes,
              kept, found, strangers, left, each, comparisons, longest);
  return 0;
}

// Tells its end.
struct Mortal {
  uint32_t value = 0;
  bool* dead = nullptr;
  ~Mortal() {
    if (dead) *dead = true;
  }
};

// A full table, of which a reader holds an entry and a published value while the writer removes both and wants their room.
static int holds(uint32_t rounds) {
  constexpr uint32_t kPlaces = 64;
  Grace grace;
  Grace::Reader& reader = grace.addReader();
  Table<Peer> table(kPlaces, grace, {1, 2});
  Published<Mortal> published(grace);
  uint32_t next = 0, spoiled = 0, refusedInside = 0, refusedAfter = 0, diedInside = 0, livedOn = 0;
  for (; next < kPlaces; next++) table.insert(addressOf(next), [](Peer&) {});
  for (uint32_t round = 0; round < rounds; round++) {
    const Address key = addressOf(next - 1 - round % kPlaces);
    bool dead = false;
    auto mortal = std::make_unique<Mortal>();
    mortal->value = round;
    mortal->dead = &dead;
    published.replace(std::move(mortal));

    reader.enter();
    const Peer* held = table.find(key);
    const Mortal& value = published.read();
    if (!held) return 1;
    if (round % 2) table.erase(key);
    else {
      table.clear();
      for (uint32_t i = 0; i + 1 < kPlaces; i++) table.insert(addressOf(next + i), [](Peer&) {});
    }
    if (!table.insert(addressOf(next + kPlaces), [](Peer&) {})) refusedInside++;
    published.replace(std::make_unique<Mortal>());
    published.replace(std::make_unique<Mortal>());
    if (!(held->key == key)) spoiled++;
    if (dead) diedInside++;
    else if (value.value != round) spoiled++;
    reader.leave();

    published.replace(std::make_unique<Mortal>());
    if (!dead) livedOn++;
    table.clear();
    next += 2 * kPlaces;
    const uint32_t first = next;
    for (; next < first + kPlaces; next++)
      if (!table.insert(addressOf(next), [](Peer&) {})) refusedAfter++;
  }
  std::printf("{\"spoiled\":%u,\"refusedInside\":%u,\"refusedAfter\":%u,\"diedInside\":%u,\"livedOn\":%u}\n", spoiled, refusedInside,
              refusedAfter, diedInside, livedOn);
  return 0;
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const auto entries = static_cast<uint32_t>(std::atol(arguments[2]));
  if (std::string(arguments[1]) == "grace") return holds(entries);
  return std::string(arguments[1]) == "peers" ? run<Peer>(entries) : run<Flow>(entries);
}
