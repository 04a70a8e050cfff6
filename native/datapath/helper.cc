// Clock, descriptors, privileges, a server's raw socket, and one frame there and back on the helper's SEQPACKET socket.
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "datapath.h"
#include "js.h"

namespace shipworm {

namespace {

constexpr size_t kMaxFrame = 64 << 10;
constexpr size_t kMaxDescriptors = 16;

napi_value now(napi_env env, napi_callback_info) { return makeNumber(env, bootMs()); }

napi_value makeSocketPair(napi_env env, napi_callback_info) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) return throwSystemError(env, errno, "socketpair");
  napi_value pair = nullptr;
  napi_create_array_with_length(env, 2, &pair);
  for (uint32_t i = 0; i < 2; i++) napi_set_element(env, pair, i, makeNumber(env, fds[i]));
  return pair;
}

napi_value connectUnixSeqpacket(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::string path = textOf(env, arguments[0]);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return throwSystemError(env, ENAMETOOLONG, "connect");
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return throwSystemError(env, errno, "socket");
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    const int error = errno;
    ::close(fd);
    return throwSystemError(env, error, "connect");
  }
  return makeNumber(env, fd);
}

napi_value closeFd(napi_env env, napi_callback_info info) {
  ::close(Arguments(env, info).i32(0));
  return nullptr;
}

// The destination is read from the packet's own header; the kernel routes by it.
napi_value sendRaw6(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const Bytes packet = bytesOf(env, arguments[1]);
  constexpr size_t kHeaderBytes = 40, kDestinationAt = 24;
  if (packet.length < kHeaderBytes) return throwSystemError(env, EINVAL, "sendto");
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  std::memcpy(&to.sin6_addr, packet.data + kDestinationAt, sizeof to.sin6_addr);
  if (sendto(arguments.i32(0), packet.data, packet.length, MSG_DONTWAIT | MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0)
    return throwSystemError(env, errno, "sendto");
  return nullptr;
}

napi_value trimMemory(napi_env, napi_callback_info) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return nullptr;
}

napi_value lockDown(napi_env env, napi_callback_info) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return throwSystemError(env, errno, "prctl");
  return nullptr;
}

// One call of the helper; made on the JavaScript thread, carried out on a thread of Node's pool.
struct HelperCall {
  int fd;
  double deadlineMs;
  std::vector<uint8_t> frame;
  std::vector<int> passed;  // copies, which go with the frame
  std::vector<uint8_t> reply;
  std::vector<int> fds;
  SystemFailure failure;
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;

  bool wait(short events) {
    for (;;) {
      const double left = deadlineMs - bootMs();
      pollfd item{fd, events, 0};
      const int ready = poll(&item, 1, left > 0 ? static_cast<int>(left) + 1 : 0);
      if (ready > 0) return true;
      if (ready < 0 && errno == EINTR) continue;
      failure = {ready < 0 ? errno : ETIMEDOUT, "poll"};
      return false;
    }
  }

  void run() {
    for (;;) {
      if (!wait(POLLOUT)) return;
      if (sendFrame() >= 0) break;
      if (errno == EAGAIN || errno == EINTR) continue;
      failure = {errno == ECONNRESET ? EPIPE : errno, "send"};
      return;
    }
    closePassed();
    while (wait(POLLIN) && !receive()) continue;
  }

  ssize_t sendFrame() {
    alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * kMaxDescriptors)] = {};
    iovec part{frame.data(), frame.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!passed.empty()) {
      const size_t bytes = sizeof(int) * passed.size();
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(bytes);
      cmsghdr* item = CMSG_FIRSTHDR(&message);
      item->cmsg_level = SOL_SOCKET;
      item->cmsg_type = SCM_RIGHTS;
      item->cmsg_len = CMSG_LEN(bytes);
      std::memcpy(CMSG_DATA(item), passed.data(), bytes);
    }
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  // False when there was nothing yet.
  bool receive() {
    reply.resize(kMaxFrame);
    alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * kMaxDescriptors)];
    iovec part{reply.data(), reply.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) {
      failure = {got == 0 || errno == ECONNRESET ? EPIPE : errno, "recvmsg"};
      return true;
    }
    for (cmsghdr* item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
      if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
      const size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; i++) {
        int came;
        std::memcpy(&came, CMSG_DATA(item) + i * sizeof came, sizeof came);
        fds.push_back(came);
      }
    }
    reply.resize(static_cast<size_t>(got));
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
      closeDescriptors();
      failure = {EMSGSIZE, "recvmsg"};
    }
    return true;
  }

  void closeDescriptors() {
    for (const int came : fds) ::close(came);
    fds.clear();
  }

  void closePassed() {
    for (const int copy : passed) ::close(copy);
    passed.clear();
  }

  ~HelperCall() { closePassed(); }
};

void finish(napi_env env, napi_status status, void* data) {
  std::unique_ptr<HelperCall> call(static_cast<HelperCall*>(data));
  napi_delete_async_work(env, call->work);
  if (status != napi_ok) call->failure = {ECANCELED, "helperCall"};
  if (call->failure.error) {
    call->closeDescriptors();
    napi_reject_deferred(env, call->deferred, makeSystemError(env, call->failure.error, call->failure.call));
    return;
  }
  napi_value result = nullptr, buffer = nullptr, bytes = nullptr, fds = nullptr;
  void* memory = nullptr;
  napi_create_object(env, &result);
  napi_create_arraybuffer(env, call->reply.size(), &memory, &buffer);
  std::memcpy(memory, call->reply.data(), call->reply.size());
  napi_create_typedarray(env, napi_uint8_array, call->reply.size(), buffer, 0, &bytes);
  napi_create_array_with_length(env, call->fds.size(), &fds);
  for (uint32_t i = 0; i < call->fds.size(); i++) napi_set_element(env, fds, i, makeNumber(env, call->fds[i]));
  setField(env, result, "reply", bytes);
  setField(env, result, "fds", fds);
  napi_resolve_deferred(env, call->deferred, result);
}

napi_value helperCall(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  auto call = std::make_unique<HelperCall>();
  call->fd = arguments.i32(0);
  const Bytes frame = bytesOf(env, arguments[1]);
  call->frame.assign(frame.data, frame.data + frame.length);
  call->deadlineMs = bootMs() + arguments.number(2);
  // Copies: the caller may close its own before a thread comes to send them.
  const uint32_t count = std::min<uint32_t>(lengthOf(env, arguments[3]), kMaxDescriptors);
  for (uint32_t i = 0; i < count; i++) {
    const int copy = fcntl(static_cast<int>(numberOf(env, elementOf(env, arguments[3], i))), F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return throwSystemError(env, errno, "fcntl");
    call->passed.push_back(copy);
  }
  napi_value promise = nullptr;
  napi_create_promise(env, &call->deferred, &promise);
  HelperCall* raw = call.release();
  napi_create_async_work(
      env, nullptr, makeText(env, "shipworm helper call"),
      [](napi_env, void* data) { static_cast<HelperCall*>(data)->run(); }, finish, raw, &raw->work);
  napi_queue_async_work(env, raw->work);
  return promise;
}

}  // namespace

void defineHelper(napi_env env, napi_value exports) {
  defineMethods(env, exports,
                {{"now", now}, {"socketpair", makeSocketPair}, {"connectUnixSeqpacket", connectUnixSeqpacket},
                 {"helperCall", helperCall}, {"closeFd", closeFd}, {"sendRaw6", sendRaw6}, {"lockDown", lockDown}, {"trimMemory", trimMemory}});
}

}  // namespace shipworm
