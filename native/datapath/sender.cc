// 1. append: a packet joins the message before it, or begins one
// 2. flush:  messages go out by sendmmsg; one that is refused as a segmented send is split and tried again singly
#include "sender.h"

#include <errno.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cstring>

#include "socket.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace shipworm {

void countSendError(Counters& counters, int error, uint64_t packets) {
  counters.add(Counter::transmitErrors, packets);
  if (error == EAGAIN || error == ENOBUFS || error == ENOMEM)
    counters.add(Counter::sendNoBuffers, packets);
  else if (error == EPERM || error == EACCES)
    counters.add(Counter::sendRefused, packets);
  else if (error == ENETDOWN || error == ENETUNREACH || error == EHOSTUNREACH || error == EHOSTDOWN || error == ECONNREFUSED)
    counters.add(Counter::sendUnreachable, packets);
  else
    counters.add(error == EMSGSIZE ? Counter::sendTooBig : Counter::sendInvalid, packets);
}

bool Sender::sendsSingly(EndpointKey to, double now) {
  if (!segmentation_) return true;
  if (singles_.empty()) return false;
  const auto found = singles_.find(to);
  if (found == singles_.end()) return false;
  if (now - found->second < kSingleMs) return true;
  singles_.erase(found);
  return false;
}

bool Sender::mayJoin(EndpointKey to, size_t length) const {
  if (messages_ == 0 || messages_ == sent_) return false;
  const Message& last = room_->messages[messages_ - 1];
  return !last.closed && last.to == to && length <= last.segment && last.packets < kMaxSegments &&
         last.bytes + length <= kMaxBytes;
}

// Makes room for one packet in a message: the last one if it may join, else a new one.
void Sender::open(EndpointKey to, size_t length, double now) {
  Message* message;
  if (mayJoin(to, length)) {
    message = &room_->messages[messages_ - 1];
  } else {
    message = &room_->messages[messages_++];
    *message = {to, static_cast<uint32_t>(parts_), 0, 0, 0, static_cast<uint32_t>(length), sendsSingly(to, now)};
  }
  message->packets++;
  message->bytes += static_cast<uint32_t>(length);
  if (length < message->segment) message->closed = true;
  packets_++;
}

void Sender::append(EndpointKey to, const uint8_t* packet, size_t length, double now) {
  open(to, length, now);
  room_->parts[parts_++] = {const_cast<uint8_t*>(packet), length};
  room_->messages[messages_ - 1].parts++;
}

void Sender::append(EndpointKey to, const SuperPacket& packet, double now) {
  for (size_t i = 0; i < packet.segments(); i++) {
    uint8_t* headers = room_->headers[headers_++];
    packet.writeHeaders(i, headers);
    open(to, packet.headerLength() + packet.payloadLength(i), now);
    room_->parts[parts_++] = {headers, packet.headerLength()};
    room_->parts[parts_++] = {const_cast<uint8_t*>(packet.payload(i)), packet.payloadLength(i)};
    room_->messages[messages_ - 1].parts += 2;
  }
}

bool Sender::flush(double now) {
  union Control {
    uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
    cmsghdr align;
  };
  mmsghdr vector[kVector];
  sockaddr_in names[kVector];
  Control controls[kVector];
  while (sent_ < messages_) {
    const size_t count = std::min(messages_ - sent_, kVector);
    for (size_t i = 0; i < count; i++) {
      const Message& message = room_->messages[sent_ + i];
      names[i] = socketAddress(message.to);
      msghdr& head = vector[i].msg_hdr;
      head = {};
      head.msg_name = &names[i];
      head.msg_namelen = sizeof names[i];
      head.msg_iov = room_->parts + message.firstPart;
      head.msg_iovlen = message.parts;
      if (message.packets == 1) continue;
      head.msg_control = controls[i].bytes;
      head.msg_controllen = sizeof controls[i].bytes;
      cmsghdr* item = CMSG_FIRSTHDR(&head);
      item->cmsg_level = IPPROTO_UDP;
      item->cmsg_type = UDP_SEGMENT;
      item->cmsg_len = CMSG_LEN(sizeof(uint16_t));
      const auto segment = static_cast<uint16_t>(message.segment);
      std::memcpy(CMSG_DATA(item), &segment, sizeof segment);
    }
    const int done = sendmmsg(socket_, vector, static_cast<unsigned>(count), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done > 0) {
      counters_.add(Counter::sendCalls);
      if (tap_.on())
        for (int i = 0; i < done; i++) copy(room_->messages[sent_ + static_cast<size_t>(i)]);
      uint64_t packets = 0;
      for (int i = 0; i < done; i++) packets += room_->messages[sent_ + static_cast<size_t>(i)].packets;
      counters_.add(Counter::packetsOut, packets);
      sent_ += static_cast<size_t>(done);
      pendingErrors_ = 0;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return false;
    failed(errno, now);
  }
  clear();
  return true;
}

// The first message that is left was refused.
void Sender::failed(int error, double now) {
  metError_ = metError_ || isPendingError(error);
  const Message& message = room_->messages[sent_];
  // A link with an MTU below a segment's, a route without the means: the datagrams go one by one, and the kernel fragments them.
  if (message.packets > 1 && (error == EMSGSIZE || error == EINVAL || error == EIO)) {
    if (singles_.size() >= kMaxSingles) singles_.clear();
    singles_[message.to] = now;
    counters_.add(Counter::segmentedRefused);
    return split();
  }
  // An ICMP error that came for an earlier datagram is told once, by whichever call comes next.
  if (isPendingError(error) && pendingErrors_++ < kPendingErrors) return;
  pendingErrors_ = 0;
  countSendError(counters_, error, message.packets);
  sent_++;
}

size_t Sender::partsOf(const Message& message, uint32_t nth, size_t part) const {
  size_t left = std::min<size_t>(message.segment, message.bytes - size_t{nth} * message.segment);
  while (left) left -= room_->parts[part++].iov_len;
  return part;
}

void Sender::copy(const Message& message) {
  size_t part = message.firstPart;
  for (uint32_t i = 0; i < message.packets; i++) {
    const size_t end = partsOf(message, i, part);
    tap_.add(true, message.to, room_->parts + part, end - part);
    part = end;
  }
}

// Sends the packets of the first message that is left by a call each.
void Sender::split() {
  const Message message = room_->messages[sent_];
  size_t part = message.firstPart;
  for (uint32_t i = 0; i < message.packets; i++) {
    msghdr head{};
    sockaddr_in name = socketAddress(message.to);
    head.msg_name = &name;
    head.msg_namelen = sizeof name;
    head.msg_iov = room_->parts + part;
    const size_t end = partsOf(message, i, part);
    head.msg_iovlen = end - part;
    ssize_t sent;
    int pendingErrors = 0;
    do {
      sent = sendmsg(socket_, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
      metError_ = metError_ || (sent < 0 && isPendingError(errno));
    } while (sent < 0 && (errno == EINTR || (isPendingError(errno) && errno != EMSGSIZE && pendingErrors++ < kPendingErrors)));
    if (sent >= 0) {
      counters_.add(Counter::sendCalls);
      counters_.add(Counter::packetsOut);
      if (tap_.on()) tap_.add(true, message.to, room_->parts + part, end - part);
    } else {
      countSendError(counters_, errno, 1);
    }
    part = end;
  }
  sent_++;
}

}  // namespace shipworm
