// SHA-256, and the thread that makes it.
#include "hash.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <vector>

namespace owners {

namespace {

constexpr size_t kKnown = 4096;

// FIPS 180-4 §4.2.2.
constexpr std::array<uint32_t, 64> kRound = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using State = std::array<uint32_t, 8>;
constexpr size_t kBlock = 64;

// FIPS 180-4 §6.2.2.
void compress(State& state, const uint8_t* block) {
  std::array<uint32_t, 64> w;
  for (size_t t = 0; t < 16; t++)
    w[t] = uint32_t{block[4 * t]} << 24 | uint32_t{block[4 * t + 1]} << 16 | uint32_t{block[4 * t + 2]} << 8 | block[4 * t + 3];
  for (size_t t = 16; t < 64; t++) {
    const uint32_t s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
    const uint32_t s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ w[t - 2] >> 10;
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (size_t t = 0; t < 64; t++) {
    const uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const uint32_t one = h + s1 + ((e & f) ^ (~e & g)) + kRound[t] + w[t];
    const uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const uint32_t two = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
  }
  const State add{a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < state.size(); i++) state[i] += add[i];
}

}  // namespace

FileState stateOf(const struct stat& info) {
  return {info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size),
          static_cast<uint64_t>(info.st_ctim.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(info.st_ctim.tv_nsec)};
}

std::string sha256(int fd) {
  State state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::vector<uint8_t> part(1 << 18);
  uint64_t total = 0;
  size_t held = 0;
  for (;;) {
    const ssize_t got = pread(fd, part.data() + held, part.size() - held, static_cast<off_t>(total));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return "";
    if (got == 0) break;
    total += static_cast<uint64_t>(got);
    held += static_cast<size_t>(got);
    size_t at = 0;
    for (; held - at >= kBlock; at += kBlock) compress(state, part.data() + at);
    std::copy(part.begin() + static_cast<long>(at), part.begin() + static_cast<long>(held), part.begin());
    held -= at;
  }
  // FIPS 180-4 §5.1.1: a one bit, zeros, the length in bits.
  part[held++] = 0x80;
  while (held % kBlock != kBlock - 8) part[held++] = 0;
  for (int shift = 56; shift >= 0; shift -= 8) part[held++] = static_cast<uint8_t>(total * 8 >> shift);
  for (size_t at = 0; at < held; at += kBlock) compress(state, part.data() + at);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const uint32_t word : state)
    for (int shift = 28; shift >= 0; shift -= 4) hex.push_back(kDigits[word >> shift & 15]);
  return hex;
}

Hasher::~Hasher() {
  {
    const std::lock_guard guard(lock_);
    ending_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

int Hasher::open() {
  ready_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!ready_.valid()) return errno;
  thread_ = std::thread([this] { run(); });
  return 0;
}

void Hasher::hash(Descriptor file, const FileState& state, Done done) {
  const auto known = known_.find(state);
  if (known != known_.end()) return done(known->second);
  const auto asked = asked_.find(state);
  if (asked != asked_.end()) return asked->second.push_back(std::move(done));
  if (!file.valid() || state.size > kMaxHashed) return done("");
  asked_[state].push_back(std::move(done));
  {
    const std::lock_guard guard(lock_);
    waiting_.push_back({std::move(file), state, ""});
  }
  wake_.notify_one();
}

void Hasher::finish() {
  uint64_t times;
  if (read(ready_.get(), &times, sizeof times) < 0) return;
  std::deque<Task> tasks;
  {
    const std::lock_guard guard(lock_);
    tasks.swap(finished_);
  }
  for (const Task& task : tasks) {
    if (known_.size() >= kKnown) known_.clear();
    if (!task.hash.empty()) known_[task.state] = task.hash;
    const auto asked = asked_.find(task.state);
    if (asked == asked_.end()) continue;
    const std::deque<Done> waiting = std::move(asked->second);
    asked_.erase(asked);
    for (const Done& done : waiting) done(task.hash);
  }
}

// A file that changed while it was read has no hash.
void Hasher::run() {
  for (;;) {
    std::unique_lock guard(lock_);
    wake_.wait(guard, [this] { return ending_ || !waiting_.empty(); });
    if (ending_) return;
    Task task = std::move(waiting_.front());
    waiting_.pop_front();
    guard.unlock();
    task.hash = sha256(task.file.get());
    struct stat now{};
    if (fstat(task.file.get(), &now) < 0 || stateOf(now) != task.state) task.hash.clear();
    task.file.reset();
    guard.lock();
    finished_.push_back(std::move(task));
    guard.unlock();
    const uint64_t one = 1;
    if (write(ready_.get(), &one, sizeof one) < 0) continue;
  }
}

}  // namespace owners
