// Bounds how often each IPv4 source may do something: a token bucket for each, in a table of fixed size that threads share.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace shipworm {

// The rule is KeyedBuckets' of engine/datapath/limits.ts: `perSecond` on average, `burst` at once. A full set forgets the source
// that it saw least recently.
class SourceLimit {
 public:
  SourceLimit(double perSecond, double burst, uint32_t maxSources);
  // True when `source` may once more at `nowMs`. Any thread.
  bool take(uint32_t source, double nowMs);
  size_t bytes() const { return sizeof *this + count_ * sizeof(Set); }

 private:
  static constexpr size_t kWays = 8;
  struct Bucket {
    double tokens, last;
    uint32_t source;
    bool used;
  };
  struct alignas(64) Set {
    std::atomic_flag busy;
    Bucket buckets[kWays];
  };

  const double perSecond_, burst_;
  const size_t count_;
  const uint64_t secret_;
  const std::unique_ptr<Set[]> sets_;
};

}  // namespace shipworm
