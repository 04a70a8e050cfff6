// Says whose programs a client is told about and decides about.
#pragma once
#include <sys/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace owners {

// More than these have no room in the message that tells them.
constexpr size_t kMaxOthers = 64;

// Users. Root's client sees everybody; any other his own, and those whom root said besides.
struct Subjects {
  uint32_t client = 0;
  uint32_t count = 0;
  uint32_t others[kMaxOthers] = {};

  bool everybody() const { return client == 0; }
  bool include(uint32_t user) const { return everybody() || user == client || std::find(others, others + count, user) != others + count; }
};

}  // namespace owners
