// States a server's UDP port: threads that read it in batches, answer what a table says, and hand the rest up.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "answers.h"
#include "datapath.h"
#include "ring.h"

namespace shipworm {

// Closes the descriptor when nobody uses it any more.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// All public members belong to one thread (JavaScript's).
class UdpPort {
 public:
  enum Outcome : uint8_t { kSent, kFailed, kFull };
  enum class Count { answered, limited, sendFailed, sendQueueFull, lost, end };

  // Null, with `failure` set, when a socket or a thread can't be had. `wake`: datagrams wait in the rings; from any thread.
  static std::unique_ptr<UdpPort> open(uint32_t ip, uint16_t port, size_t workers, std::function<void()> wake,
                                       SystemFailure& failure);
  ~UdpPort() { close(); }

  // From now on the threads answer by this table, if there is one; `other` sends what leaves by the other address.
  void setAnswers(std::shared_ptr<const Answers> answers, const UdpPort* other);
  // Moves records (ring.h) of what the table doesn't answer into `into`; the bytes used.
  size_t drain(uint8_t* into, size_t room);
  // Sends `count` messages and tells of each what became of it.
  void send(mmsghdr* messages, size_t count, Outcome* outcomes);
  uint64_t count(Count what) const { return counts_[static_cast<size_t>(what)].load(std::memory_order_relaxed); }
  // Ends the threads. Idempotent; a closed one sends and receives nothing.
  void close();

 private:
  static constexpr size_t kBatch = 64;
  // Longer than any datagram that a server forwards or answers.
  static constexpr size_t kDatagram = 2048;
  struct Batch;
  struct Worker {
    std::shared_ptr<Descriptor> socket;
    std::thread thread;
    Ring ring{512 << 10, 4096};
  };
  struct Plan {
    std::shared_ptr<const Answers> answers;
    std::vector<std::shared_ptr<Descriptor>> other;
  };

  UdpPort() = default;
  void run(Worker& worker, size_t index);
  void handle(Worker& worker, size_t index, Batch& batch, size_t count);
  void add(Count what, uint64_t n) { counts_[static_cast<size_t>(what)].fetch_add(n, std::memory_order_relaxed); }
  std::shared_ptr<const Plan> plan();

  std::function<void()> wake_;
  std::vector<std::unique_ptr<Worker>> workers_;
  int stop_ = -1;
  bool closed_ = false;
  std::atomic<bool> wakePending_{false};
  std::atomic<uint64_t> counts_[static_cast<size_t>(Count::end)] = {};
  std::mutex planLock_;  // held to copy one pointer
  std::shared_ptr<const Plan> plan_ = std::make_shared<Plan>();
};

}  // namespace shipworm
