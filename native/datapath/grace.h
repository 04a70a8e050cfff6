// Lets threads read tables without locks while another changes them; what was unpublished rests for a grace period.
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace shipworm {

class Grace {
 public:
  // One of the threads that read. It is between `enter` and `leave` while it handles a batch; nothing it found in a table outlives that.
  class alignas(64) Reader {
   public:
    explicit Reader(const std::atomic<uint64_t>& now) : now_(now) {}
    void enter() {
      since_.store(now_.load(std::memory_order_relaxed), std::memory_order_seq_cst);
      std::atomic_thread_fence(std::memory_order_seq_cst);
    }
    void leave() { since_.store(kOutside, std::memory_order_seq_cst); }

   private:
    friend Grace;
    static constexpr uint64_t kOutside = UINT64_MAX;
    const std::atomic<uint64_t>& now_;
    std::atomic<uint64_t> since_{kOutside};
  };

  // Writer, before the thread that gets it begins; it lives as long as this does.
  Reader& addReader() { return readers_.emplace_back(now_); }

  // Writer: taken after unpublishing.
  uint64_t ticket() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return now_.fetch_add(1, std::memory_order_seq_cst);
  }
  // Writer: no reader can hold any longer what was unpublished before `ticket`: none is inside since then.
  bool passed(uint64_t ticket) const {
    for (const Reader& reader : readers_)
      if (reader.since_.load(std::memory_order_seq_cst) <= ticket) return false;
    return true;
  }

 private:
  std::atomic<uint64_t> now_{0};
  std::deque<Reader> readers_;  // a deque never moves them
};

// One value that the writer replaces as a whole and the readers see either old or new.
template <class T>
class Published {
 public:
  explicit Published(Grace& grace) : grace_(grace), owned_(std::make_unique<T>()) {
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
  Grace& grace_;
  std::unique_ptr<T> owned_;
  std::atomic<T*> current_;
  std::vector<std::pair<uint64_t, std::unique_ptr<T>>> retired_;
};

}  // namespace shipworm
