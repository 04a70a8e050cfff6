// Watches one descriptor in a thread of its own: the helper's socket for its hang-up, a netlink socket or the clock for changes.
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <limits>
#include <memory>
#include <system_error>
#include <thread>

#include "js.h"

namespace shipworm {

namespace {

// Lives until it is stopped, or for a hang-up until that was told; `stop` belongs to the JavaScript thread.
struct Watch {
  int fd = -1;
  bool owned = false;   // the descriptor is ours to close: netlink, clock
  bool hangUp = false;  // tell the hang-up once; else tell whenever there is something to read
  int stopFd = -1;
  std::thread thread;
  napi_threadsafe_function tell = nullptr;
  std::atomic<bool> told{false};  // coalesces: one call under way is enough
  bool stopped = false;

  void run() {
    for (;;) {
      pollfd items[2] = {{fd, static_cast<short>(hangUp ? POLLRDHUP : POLLIN), 0}, {stopFd, POLLIN, 0}};
      if (poll(items, 2, -1) < 0 && errno == EINTR) continue;
      if (items[1].revents) return;
      if (!items[0].revents) continue;
      if (!hangUp) swallow();
      if (!told.exchange(true)) napi_call_threadsafe_function(tell, nullptr, napi_tsfn_nonblocking);
      if (hangUp) return;
    }
  }

  // What changed is read anew by whoever is told; ENOBUFS (messages were lost) and ECANCELED (the clock was set) are changes.
  void swallow() {
    uint8_t bytes[8192];
    while (read(fd, bytes, sizeof bytes) >= 0 || errno == ENOBUFS || errno == EINTR || errno == ECANCELED) continue;
  }

  void stop() {
    if (stopped) return;
    stopped = true;
    if (thread.joinable()) {
      const uint64_t one = 1;
      while (write(stopFd, &one, sizeof one) < 0 && errno == EINTR) continue;
      thread.join();
    }
    if (owned) ::close(fd);
    if (stopFd >= 0) ::close(stopFd);
    if (tell) napi_release_threadsafe_function(tell, napi_tsfn_abort);
  }
};
using Shared = std::shared_ptr<Watch>;

void onTold(napi_env env, napi_value callback, void* context, void*) {
  // What was on its way as the function was given up comes without an environment, after the context is gone.
  if (!env) return;
  const Shared watch = *static_cast<Shared*>(context);
  if (watch->stopped) return;
  watch->told.store(false);
  if (watch->hangUp) watch->stop();
  napi_value result = nullptr;
  napi_call_function(env, makeUndefined(env), callback, 0, nullptr, &result);
}

void onEnvironmentEnd(void* data) { (*static_cast<Shared*>(data))->stop(); }

napi_value stop(napi_env env, napi_callback_info info) {
  (*static_cast<Shared*>(Arguments(env, info).data()))->stop();
  return nullptr;
}

// Starts `watch`; returns the stop function.
napi_value start(napi_env env, const Shared& watch, napi_value callback) {
  watch->stopFd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int problem = watch->stopFd < 0 ? errno : 0;
  // The thread-safe function holds the watch, so that it goes on when the stop function was thrown away.
  auto* context = new Shared(watch);
  const auto drop = [](napi_env owner, void*, void* data) {
    napi_remove_env_cleanup_hook(owner, onEnvironmentEnd, data);
    delete static_cast<Shared*>(data);
  };
  napi_create_threadsafe_function(env, callback, nullptr, makeText(env, "shipworm watch"), 0, 1, nullptr, drop, context,
                                  onTold, &watch->tell);
  napi_unref_threadsafe_function(env, watch->tell);
  napi_add_env_cleanup_hook(env, onEnvironmentEnd, context);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  if (!problem) try {
      watch->thread = std::thread([raw = watch.get()] { raw->run(); });
    } catch (const std::system_error& error) {
      problem = error.code().value();
    }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (problem) {
    watch->stop();
    return throwSystemError(env, problem, "watch");
  }
  napi_value function = nullptr;
  auto* held = new Shared(watch);
  napi_create_function(env, "stop", NAPI_AUTO_LENGTH, stop, held, &function);
  napi_add_finalizer(
      env, function, held, [](napi_env, void* data, void*) { delete static_cast<Shared*>(data); }, nullptr, nullptr);
  return function;
}

napi_value watchFd(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  auto watch = std::make_shared<Watch>();
  watch->fd = arguments.i32(0);
  watch->hangUp = true;
  return start(env, watch, arguments[1]);
}

napi_value openNetlink(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  auto watch = std::make_shared<Watch>();
  watch->owned = true;
  watch->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (watch->fd < 0) return throwSystemError(env, errno, "socket");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_NEIGH;
  if (!arguments.boolean(1))
    address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (bind(watch->fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    const int error = errno;
    watch->stop();
    return throwSystemError(env, error, "bind");
  }
  return start(env, watch, arguments[0]);
}

// A timer that never runs out, but is cancelled when the offset between CLOCK_REALTIME and CLOCK_MONOTONIC changes: when the
// computer wakes (the latter did not go on meanwhile), or somebody sets the clock. It costs no wake-up before.
napi_value watchClock(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  auto watch = std::make_shared<Watch>();
  watch->owned = true;
  watch->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (watch->fd < 0) return throwSystemError(env, errno, "timerfd_create");
  itimerspec never{};
  never.it_value.tv_sec = std::numeric_limits<time_t>::max();
  if (timerfd_settime(watch->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr) < 0) {
    const int error = errno;
    watch->stop();
    return throwSystemError(env, error, "timerfd_settime");
  }
  return start(env, watch, arguments[0]);
}

}  // namespace

void defineWatches(napi_env env, napi_value exports) {
  defineMethods(env, exports, {{"watchFd", watchFd}, {"openNetlink", openNetlink}, {"watchClock", watchClock}});
}

}  // namespace shipworm
