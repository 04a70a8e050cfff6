// A table of sets of eight buckets; the set of a source is found by a secret hash, and held for a few instructions only.
#include "sources.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>

namespace shipworm {

namespace {

// Odd, so that no two sources fall together by the multiplication alone.
uint64_t randomSecret() {
  uint64_t secret = 0;
  if (getrandom(&secret, sizeof secret, 0) != sizeof secret) secret = reinterpret_cast<uint64_t>(&secret);
  return secret | 1;
}

}  // namespace

SourceLimit::SourceLimit(double perSecond, double burst, uint32_t maxSources)
    : perSecond_(perSecond),
      burst_(burst),
      count_(std::bit_ceil((std::max<size_t>(maxSources, 1) + kWays - 1) / kWays)),
      secret_(randomSecret()),
      sets_(new Set[count_]()) {}

bool SourceLimit::take(uint32_t source, double nowMs) {
  const uint64_t hash = (uint64_t{source} + 1) * secret_;
  Set& set = sets_[(hash ^ hash >> 32) & (count_ - 1)];
  while (set.busy.test_and_set(std::memory_order_acquire)) continue;
  Bucket* bucket = nullptr;
  for (Bucket& each : set.buckets) {
    if (each.used && each.source == source) {
      bucket = &each;
      break;
    }
    if (!bucket || (bucket->used && (!each.used || each.last < bucket->last))) bucket = &each;
  }
  if (!bucket->used || bucket->source != source) *bucket = {burst_, nowMs, source, true};
  if (nowMs > bucket->last) {
    bucket->tokens = std::min(burst_, bucket->tokens + (nowMs - bucket->last) / 1000 * perSecond_);
    bucket->last = nowMs;
  }
  const bool may = bucket->tokens >= 1;
  if (may) bucket->tokens -= 1;
  set.busy.clear(std::memory_order_release);
  return may;
}

}  // namespace shipworm
