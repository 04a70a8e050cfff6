// A UDP socket that is read and written in batches: recvmmsg and sendmmsg between the kernel and buffers of equal slots.
//
// A slot is u32 length, u8 outcome of sending, u8[3] 0, u32 IPv4 address, u16 port, u16 0, then the datagram; host byte order.
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>

#include "js.h"
#include "socket.h"

namespace shipworm {

namespace {

constexpr size_t kBatch = 64, kHead = 16, kSlot = 2064;
enum Outcome : uint8_t { kSent, kFailed, kFull };

struct Head {
  uint32_t length;
  uint8_t outcome, pad[3];
  uint32_t ip;
  uint16_t port, zero;
};
static_assert(sizeof(Head) == kHead);

// The thread only waits; whoever is told reads, and arms it again. All but `run` belongs to the JavaScript thread.
struct Udp {
  int fd = -1, epoll = -1, stopFd = -1;
  std::thread thread;
  napi_threadsafe_function tell = nullptr;
  bool closed = false;
  mmsghdr messages[kBatch] = {};
  iovec parts[kBatch] = {};
  sockaddr_in names[kBatch] = {};

  bool arm(int operation) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLONESHOT;
    event.data.fd = fd;
    return epoll_ctl(epoll, operation, fd, &event) == 0;
  }

  void run() {
    for (;;) {
      epoll_event event;
      const int count = epoll_wait(epoll, &event, 1, -1);
      if (count < 0 && errno == EINTR) continue;
      if (count < 1 || event.data.fd == stopFd) return;
      napi_call_threadsafe_function(tell, nullptr, napi_tsfn_nonblocking);
    }
  }

  void prepare(uint8_t* slots, size_t i, size_t length) {
    parts[i] = {slots + i * kSlot + kHead, length};
    messages[i].msg_hdr = {};
    messages[i].msg_hdr.msg_name = &names[i];
    messages[i].msg_hdr.msg_namelen = sizeof names[i];
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }

  size_t receive(uint8_t* slots, size_t room) {
    if (closed) return 0;
    for (size_t i = 0; i < room; i++) prepare(slots, i, kSlot - kHead);
    const int count = recvmmsg(fd, messages, static_cast<unsigned>(room), MSG_DONTWAIT, nullptr);
    for (int i = 0; i < count; i++) {
      Head head{};
      head.length = messages[i].msg_len;
      head.ip = ntohl(names[i].sin_addr.s_addr);
      head.port = ntohs(names[i].sin_port);
      std::memcpy(slots + static_cast<size_t>(i) * kSlot, &head, kHead);
    }
    return count > 0 ? static_cast<size_t>(count) : 0;
  }

  void send(uint8_t* slots, size_t count) {
    for (size_t i = 0; i < count; i++) {
      Head head;
      std::memcpy(&head, slots + i * kSlot, kHead);
      names[i] = socketAddress(static_cast<EndpointKey>(head.ip) << 16 | head.port);
      prepare(slots, i, std::min<size_t>(head.length, kSlot - kHead));
    }
    for (size_t at = 0; at < count;) {
      errno = EBADF;
      const int sent = closed ? -1 : sendmmsg(fd, messages + at, static_cast<unsigned>(count - at), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      const size_t done = sent > 0 ? static_cast<size_t>(sent) : 1;
      const Outcome outcome = sent > 0 ? kSent : errno == EAGAIN || errno == ENOBUFS ? kFull : kFailed;
      for (size_t i = at; i < at + done; i++) slots[i * kSlot + offsetof(Head, outcome)] = outcome;
      at += done;
    }
  }

  void close() {
    if (closed) return;
    closed = true;
    if (thread.joinable()) {
      const uint64_t one = 1;
      while (write(stopFd, &one, sizeof one) < 0 && errno == EINTR) continue;
      thread.join();
    }
    for (const int open : {fd, epoll, stopFd})
      if (open >= 0) ::close(open);
    if (tell) napi_release_threadsafe_function(tell, napi_tsfn_abort);
  }
};
using Shared = std::shared_ptr<Udp>;

Udp& udpOf(const Arguments& arguments) { return **static_cast<Shared*>(arguments.data()); }

void onTold(napi_env env, napi_value callback, void* context, void*) {
  const Shared udp = *static_cast<Shared*>(context);
  if (!env || udp->closed) return;
  napi_value result = nullptr;
  napi_call_function(env, makeUndefined(env), callback, 0, nullptr, &result);
  if (!udp->closed) udp->arm(EPOLL_CTL_MOD);
}

void onEnvironmentEnd(void* data) { (*static_cast<Shared*>(data))->close(); }

napi_value receive(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const Bytes into = bytesOf(env, arguments[0]);
  return makeNumber(env, static_cast<double>(udpOf(arguments).receive(into.data, std::min(kBatch, into.length / kSlot))));
}

napi_value send(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const Bytes from = bytesOf(env, arguments[0]);
  udpOf(arguments).send(from.data, std::min({kBatch, from.length / kSlot, static_cast<size_t>(arguments.u32(1))}));
  return nullptr;
}

napi_value close(napi_env env, napi_callback_info info) {
  udpOf(Arguments(env, info)).close();
  return nullptr;
}

napi_value openUdp(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  auto udp = std::make_shared<Udp>();
  SystemFailure failure;
  udp->fd = openUdpSocket(arguments.u32(0), static_cast<uint16_t>(arguments.u32(1)), failure);
  if (udp->fd < 0) return throwSystemError(env, failure.error, failure.call);
  // An ICMP error, which anybody can forge, is nothing to a server; left on the queue it would wake us for ever.
  const int off = 0;
  setsockopt(udp->fd, IPPROTO_IP, IP_RECVERR, &off, sizeof off);
  udp->epoll = epoll_create1(EPOLL_CLOEXEC);
  udp->stopFd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event stop{};
  stop.events = EPOLLIN;
  stop.data.fd = udp->stopFd;
  int problem = udp->epoll >= 0 && udp->stopFd >= 0 && epoll_ctl(udp->epoll, EPOLL_CTL_ADD, udp->stopFd, &stop) == 0 &&
                        udp->arm(EPOLL_CTL_ADD)
                    ? 0
                    : errno;
  // The thread-safe function holds the socket as long as it may be told.
  auto* context = new Shared(udp);
  const auto drop = [](napi_env owner, void*, void* data) {
    napi_remove_env_cleanup_hook(owner, onEnvironmentEnd, data);
    delete static_cast<Shared*>(data);
  };
  napi_create_threadsafe_function(env, arguments[2], nullptr, makeText(env, "shipworm udp"), 0, 1, nullptr, drop, context,
                                  onTold, &udp->tell);
  napi_add_env_cleanup_hook(env, onEnvironmentEnd, context);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  if (!problem) try {
      udp->thread = std::thread([raw = udp.get()] { raw->run(); });
    } catch (const std::system_error& error) {
      problem = error.code().value();
    }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (problem) {
    udp->close();
    return throwSystemError(env, problem, "epoll");
  }
  napi_value object = nullptr;
  napi_create_object(env, &object);
  for (const auto& [name, call] : {Method{"receive", receive}, Method{"send", send}, Method{"close", close}}) {
    napi_value function = nullptr;
    auto* held = new Shared(udp);
    napi_create_function(env, name, NAPI_AUTO_LENGTH, call, held, &function);
    napi_add_finalizer(
        env, function, held, [](napi_env, void* data, void*) { delete static_cast<Shared*>(data); }, nullptr, nullptr);
    setField(env, object, name, function);
  }
  return object;
}

}  // namespace

void defineUdp(napi_env env, napi_value exports) { defineMethods(env, exports, {{"openUdp", openUdp}}); }

}  // namespace shipworm
