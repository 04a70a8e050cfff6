// 1. run:   turn by turn
// 2. raise: what the tables don't settle goes into a ring
// 3. the writer is woken once for all of it
#include "lane.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <system_error>
#include <utility>

#include "socket.h"

namespace shipworm {

namespace {

// Ends a call that waits. Nothing else in the process uses it, and it is ignored where there is no handler.
constexpr int kNudge = SIGURG;

void handleNudges() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    sigaction(kNudge, &action, nullptr);  // without SA_RESTART
  });
}

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
  if (told_ >= 0) close(told_);
}

bool Lane::prepare() {
  told_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return told_ >= 0;
}

short Lane::waitFor(int fd, short events) {
  pollfd items[2] = {{fd, events, 0}, {told_, POLLIN, 0}};
  if (poll(items, 2, -1) < 0) {
    if (errno != EINTR) state_.fail("The datapath can't wait for packets any more; start again.");
    return 0;
  }
  if (items[1].revents) heed();
  return items[0].revents;
}

bool Lane::start(SystemFailure& failure) {
  stopping_.store(false);
  ended_.store(false);
  handleNudges();
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

// A signal that comes just before the call that waits ends nothing, so that there is another one.
void Lane::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true);
  poke();
  for (useconds_t pause = 10; !ended_.load(); pause = std::min<useconds_t>(2 * pause, 1'000)) {
    pthread_kill(thread_.native_handle(), kNudge);
    usleep(pause);
  }
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
  sigset_t nudge;
  sigemptyset(&nudge);
  sigaddset(&nudge, kNudge);
  pthread_sigmask(SIG_UNBLOCK, &nudge, nullptr);
  while (!stopping_.load() && !state_.failed()) {
    turn();
    if (std::exchange(raised_, false)) state_.wakeWriter();
    turnedMs_ = bootMs();
  }
  pthread_sigmask(SIG_BLOCK, &nudge, nullptr);
  ended_.store(true);
}

void Lane::raise(Ring& ring, Kind kind, const Upcall& head, const uint8_t* payload) {
  const bool taken = ring.push(head, payload);
  state_.counters.add(taken ? kind.up : kind.lost);
  raised_ = raised_ || taken;
}

void Lane::raiseErrors(int socket, Ring& ring, Kind kind) {
  readErrorQueue(socket, [&](EndpointKey to, uint8_t type, uint8_t code) {
    raise(ring, kind, errorUpcall(to, type, code), nullptr);
  });
}

}  // namespace shipworm
