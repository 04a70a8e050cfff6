// 1. run:   epoll says which descriptors have something; each gets its turn
// 2. raise: what the tables don't settle goes into a ring
// 3. the writer is woken once for all of it
#include "lane.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <system_error>

namespace shipworm {

namespace {

constexpr int kEvents = 8;

// A packet waits for its thread: one that asks for short turns gets them sooner (sched_setattr(2), Linux 6.12). Its share of the
// processor is the same. Where a kernel or a sandbox refuses, nothing is different.
void askForShortTurns() {
  constexpr uint64_t kTurnNs = 100'000;  // the shortest there is
  struct Attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attributes{};
  constexpr unsigned kSize = 48;  // SCHED_ATTR_SIZE_VER0
  static_assert(sizeof(Attributes) == kSize);
  if (syscall(SYS_sched_getattr, 0, &attributes, kSize, 0) < 0) return;
  if (attributes.policy != SCHED_OTHER && attributes.policy != SCHED_BATCH) return;
  attributes.size = kSize;
  attributes.runtime = kTurnNs;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace

Lane::~Lane() {
  if (epoll_ >= 0) close(epoll_);
  if (told_ >= 0) close(told_);
}

bool Lane::prepare() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  told_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return epoll_ >= 0 && told_ >= 0 && watch(told_, EPOLLIN, kTold, EPOLL_CTL_ADD);
}

bool Lane::watch(int fd, uint32_t events, uint64_t id, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  return epoll_ctl(epoll_, operation, fd, &event) == 0;
}

bool Lane::start(SystemFailure& failure) {
  stopping_.store(false);
  // Signals are for the main thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  failure = {};
  try {
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), name_);
  } catch (const std::system_error& error) {
    failure = {error.code().value(), "pthread_create"};
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return failure.error == 0;
}

void Lane::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true);
  poke();
  thread_.join();
  heed();
}

void Lane::poke() {
  const uint64_t one = 1;
  while (write(told_, &one, sizeof one) < 0 && errno == EINTR) continue;
}

void Lane::heed() {
  uint64_t times;
  while (read(told_, &times, sizeof times) < 0 && errno == EINTR) continue;
}

void Lane::run() {
  askForShortTurns();
  epoll_event events[kEvents];
  while (!stopping_.load() && !state_.failed()) {
    const int count = epoll_wait(epoll_, events, kEvents, -1);
    if (count < 0 && errno != EINTR) state_.fail("The datapath can't wait for packets any more; start again.");
    reader_.enter();
    for (int i = 0; i < count && !state_.failed(); i++) {
      if (events[i].data.u64 != kTold) {
        ready(events[i].data.u64, events[i].events);
      } else if (!stopping_.load()) {
        heed();
        poked();
      }
    }
    reader_.leave();
    if (raised_) {
      raised_ = false;
      state_.wakeWriter();
    }
  }
}

void Lane::raise(Ring& ring, Kind kind, const Upcall& head, const uint8_t* payload) {
  const bool taken = ring.push(head, payload);
  state_.counters.add(taken ? kind.up : kind.lost);
  raised_ = raised_ || taken;
}

}  // namespace shipworm
