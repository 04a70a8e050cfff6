// The way of a datagram to a server:
//
// 1. run:    one recvmmsg for up to 64 datagrams; waits only when there is none
// 2. handle: those in the table are answered, by one sendmmsg for each address; the others go into the ring
// 3. the JavaScript thread is woken once, judges them (drain), and answers (send)
#include "udp.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <system_error>

#include "socket.h"

namespace shipworm {

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

struct UdpPort::Batch {
  // Questions and answers of one batch. `same` leave by the socket that was asked, `other` by the other address.
  struct Replies {
    mmsghdr messages[kBatch];
    iovec parts[kBatch];
    Outcome outcomes[kBatch];
    size_t count = 0;
  };
  uint8_t bytes[kBatch][kDatagram];
  uint8_t answers[kBatch][Answers::kMaxBytes];
  mmsghdr messages[kBatch] = {};
  iovec parts[kBatch];
  sockaddr_in names[kBatch];
  Replies same, other;

  void expect() {
    for (size_t i = 0; i < kBatch; i++) {
      parts[i] = {bytes[i], kDatagram};
      messages[i].msg_hdr.msg_name = &names[i];
      messages[i].msg_hdr.msg_namelen = sizeof names[i];
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    same.count = other.count = 0;
  }
  void reply(Replies& list, size_t i, size_t length) {
    mmsghdr& message = list.messages[list.count];
    list.parts[list.count] = {answers[i], length};
    message = {};
    message.msg_hdr.msg_name = &names[i];
    message.msg_hdr.msg_namelen = sizeof names[i];
    message.msg_hdr.msg_iov = &list.parts[list.count++];
    message.msg_hdr.msg_iovlen = 1;
  }
};

namespace {

void sendAll(int fd, mmsghdr* messages, size_t count, UdpPort::Outcome* outcomes) {
  for (size_t at = 0; at < count;) {
    const int sent = sendmmsg(fd, messages + at, static_cast<unsigned>(count - at), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    const size_t done = sent > 0 ? static_cast<size_t>(sent) : 1;
    const auto outcome = sent > 0 ? UdpPort::kSent : errno == EAGAIN || errno == ENOBUFS ? UdpPort::kFull : UdpPort::kFailed;
    std::fill_n(outcomes + at, done, outcome);
    at += done;
  }
}

}  // namespace

std::unique_ptr<UdpPort> UdpPort::open(uint32_t ip, uint16_t port, size_t workers, std::function<void()> wake,
                                       SystemFailure& failure) {
  std::unique_ptr<UdpPort> udp(new UdpPort);
  udp->wake_ = std::move(wake);
  udp->stop_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (udp->stop_ < 0) {
    failure = {errno, "eventfd"};
    return nullptr;
  }
  // Sockets that share a port would let another program's in: only one that has it alone finds the port taken.
  if (workers > 1 && port != 0) {
    const int alone = openUdpSocket(ip, port, failure);
    if (alone < 0) return nullptr;
    ::close(alone);
  }
  for (size_t i = 0; i < workers; i++) {
    const int fd = openUdpSocket(ip, port, failure, workers > 1);
    if (fd < 0) return nullptr;
    // An ICMP error, which anybody can forge, is nothing to a server; left on the queue it would wake us for ever.
    const int off = 0;
    setsockopt(fd, IPPROTO_IP, IP_RECVERR, &off, sizeof off);
    udp->workers_.push_back(std::make_unique<Worker>());
    udp->workers_.back()->socket = std::make_shared<Descriptor>(fd);
  }
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    for (size_t i = 0; i < workers; i++) {
      Worker& worker = *udp->workers_[i];
      worker.thread = std::thread([raw = udp.get(), &worker, i] { raw->run(worker, i); });
      pthread_setname_np(worker.thread.native_handle(), "shipworm-udp");
    }
  } catch (const std::system_error& error) {
    failure = {error.code().value(), "pthread_create"};
    udp.reset();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return udp;
}

void UdpPort::run(Worker& worker, size_t index) {
  const auto batch = std::make_unique<Batch>();
  const int fd = worker.socket->fd();
  for (;;) {
    batch->expect();
    const int count = recvmmsg(fd, batch->messages, kBatch, MSG_DONTWAIT, nullptr);
    if (count > 0) {
      handle(worker, index, *batch, static_cast<size_t>(count));
      // A full batch: there is more. Else wait, unless it is time to end.
      if (count == static_cast<int>(kBatch)) continue;
    }
    pollfd items[2] = {{stop_, POLLIN, 0}, {fd, POLLIN, 0}};
    if (poll(items, 2, -1) < 0 && errno != EINTR) return;
    if (items[0].revents) return;
  }
}

std::shared_ptr<const UdpPort::Plan> UdpPort::plan() {
  const std::lock_guard<std::mutex> guard(planLock_);
  return plan_;
}

void UdpPort::handle(Worker& worker, size_t index, Batch& batch, size_t count) {
  const auto plan = this->plan();
  const double now = bootMs();
  uint64_t limited = 0, lost = 0;
  bool raised = false;
  for (size_t i = 0; i < count; i++) {
    const EndpointKey from = endpointKey(batch.names[i]);
    const auto ip = static_cast<uint32_t>(from >> 16);
    const auto port = static_cast<uint16_t>(from);
    const size_t length = batch.messages[i].msg_len;
    Answers::Reply reply{batch.answers[i], 0, false};
    const auto outcome =
        plan->answers ? plan->answers->answer(ip, port, batch.bytes[i], length, now, reply) : Answers::Outcome::unknown;
    if (outcome == Answers::Outcome::answered) {
      batch.reply(reply.viaOther ? batch.other : batch.same, i, reply.length);
    } else if (outcome == Answers::Outcome::limited) {
      limited++;
    } else {
      Upcall head{};
      head.length = static_cast<uint32_t>(length);
      head.kind = Upcall::otherDatagram;
      head.ip = ip;
      head.port = port;
      const bool taken = worker.ring.push(head, batch.bytes[i]);
      raised = raised || taken;
      if (!taken) lost++;
    }
  }
  if (raised && !wakePending_.exchange(true)) wake_();
  if (limited) add(Count::limited, limited);
  if (lost) add(Count::lost, lost);
  for (Batch::Replies* replies : {&batch.same, &batch.other}) {
    if (!replies->count) continue;
    const bool other = replies == &batch.other;
    if (other && plan->other.empty()) {
      add(Count::sendFailed, replies->count);
      continue;
    }
    const Descriptor& socket = other ? *plan->other[index % plan->other.size()] : *worker.socket;
    sendAll(socket.fd(), replies->messages, replies->count, replies->outcomes);
    uint64_t became[3] = {};
    for (size_t i = 0; i < replies->count; i++) became[replies->outcomes[i]]++;
    add(Count::answered, became[kSent]);
    if (became[kFailed]) add(Count::sendFailed, became[kFailed]);
    if (became[kFull]) add(Count::sendQueueFull, became[kFull]);
  }
}

void UdpPort::setAnswers(std::shared_ptr<const Answers> answers, const UdpPort* other) {
  auto next = std::make_shared<Plan>();
  next->answers = std::move(answers);
  if (other)
    for (const auto& worker : other->workers_) next->other.push_back(worker->socket);
  const std::lock_guard<std::mutex> guard(planLock_);
  plan_ = std::move(next);
}

size_t UdpPort::drain(uint8_t* into, size_t room) {
  if (closed_) return 0;
  // Before it looks: from here on a thread wakes it again.
  wakePending_.exchange(false);
  size_t used = 0;
  bool more = false;
  for (size_t i = 0; i < workers_.size(); i++) {
    // Each of them gets its part of the room, and what the others left over.
    used += workers_[i]->ring.drain(into + used, (room - used) / (workers_.size() - i));
    more = more || !workers_[i]->ring.empty();
  }
  if (more && !wakePending_.exchange(true)) wake_();
  return used;
}

void UdpPort::send(mmsghdr* messages, size_t count, Outcome* outcomes) {
  if (closed_)
    std::fill_n(outcomes, count, kFailed);
  else
    sendAll(workers_[0]->socket->fd(), messages, count, outcomes);
}

void UdpPort::close() {
  if (closed_) return;
  closed_ = true;
  const uint64_t one = 1;
  while (stop_ >= 0 && write(stop_, &one, sizeof one) < 0 && errno == EINTR) continue;
  for (const auto& worker : workers_)
    if (worker->thread.joinable()) worker->thread.join();
  workers_.clear();
  plan_ = std::make_shared<Plan>();
  if (stop_ >= 0) ::close(stop_);
}

}  // namespace shipworm
