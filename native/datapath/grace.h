// Lets one thread read tables without locks while another changes them; what was unpublished rests for a grace period.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace shipworm {

// The reader is between `enter` and `leave` while it handles a batch; nothing it found in a table outlives that.
class Grace {
 public:
  void enter() {
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  void leave() { epoch_.fetch_add(1, std::memory_order_seq_cst); }

  // Writer: taken after unpublishing.
  uint64_t ticket() const {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return epoch_.load(std::memory_order_seq_cst);
  }
  // Writer: the reader can no longer hold what was unpublished before `ticket` (odd: it was inside a batch then).
  bool passed(uint64_t ticket) const {
    return (ticket & 1) == 0 || epoch_.load(std::memory_order_seq_cst) != ticket;
  }

 private:
  std::atomic<uint64_t> epoch_{0};
};

// One value that the writer replaces as a whole and the reader sees either old or new.
template <class T>
class Published {
 public:
  explicit Published(const Grace& grace) : grace_(grace), owned_(std::make_unique<T>()) {
    current_.store(owned_.get(), std::memory_order_release);
  }

  const T& read() const { return *current_.load(std::memory_order_acquire); }
  T& own() { return *owned_; }

  void replace(std::unique_ptr<T> next) {
    current_.store(next.get(), std::memory_order_seq_cst);
    std::swap(owned_, next);
    retired_.emplace_back(grace_.ticket(), std::move(next));
    std::erase_if(retired_, [this](const auto& old) { return grace_.passed(old.first); });
  }

 private:
  const Grace& grace_;
  std::unique_ptr<T> owned_;
  std::atomic<T*> current_;
  std::vector<std::pair<uint64_t, std::unique_ptr<T>>> retired_;
};

}  // namespace shipworm
