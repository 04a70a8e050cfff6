// 1. the case:  length and bits, then the checksum of the packet inside
// 2. the source: not one of the ranges that are left to others, and within its rate
// 3. the answer: the template with what the question lends it, the origin and the checksum
#include "answers.h"

#include <algorithm>
#include <cstring>

#include "checksum.h"
#include "packet.h"

namespace shipworm {

namespace {

constexpr size_t kOrigin = 8, kIcmpChecksum = 2, kIcmpHeader = 4;

bool matches(const uint8_t* bytes, const uint8_t* value, const uint8_t* mask, size_t length) {
  uint64_t difference = 0;
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    uint64_t words[3];
    std::memcpy(&words[0], bytes + i, 8);
    std::memcpy(&words[1], value + i, 8);
    std::memcpy(&words[2], mask + i, 8);
    difference |= (words[0] ^ words[1]) & words[2];
  }
  for (; i < length; i++) difference |= (bytes[i] ^ value[i]) & mask[i];
  return difference == 0;
}

// Folded sum of an ICMPv6 packet that reaches to the end, with its pseudo header; 0xffff when its checksum is right.
uint16_t icmpSum(const uint8_t* packet, size_t length) {
  const size_t upper = length - kIp6Header;
  return foldSum(sumPseudoHeader(packet + 8, static_cast<uint32_t>(upper), kIcmp6) + sumWords(packet + kIp6Header, upper));
}

}  // namespace

bool AnswerCase::sound() const {
  const auto packet = [](size_t at, size_t end) { return at + kIp6Header + kIcmpHeader <= end; };
  return question.size() == mask.size() && answer.size() <= Answers::kMaxBytes && packet(questionPacketAt, question.size()) &&
         packet(answerPacketAt, answer.size()) && originAt + kOrigin <= answer.size() &&
         std::all_of(copies.begin(), copies.end(), [this](const Copy& copy) {
           return uint64_t{copy.from} + copy.length <= question.size() && uint64_t{copy.to} + copy.length <= answer.size();
         });
}

Answers::Answers(std::vector<AnswerCase> cases, std::vector<Range4> refused, std::shared_ptr<SourceLimit> limit)
    : cases_(std::move(cases)), refused_(std::move(refused)), limit_(std::move(limit)) {}

Answers::Outcome Answers::answer(uint32_t ip, uint16_t port, const uint8_t* question, size_t length, double nowMs,
                                 Reply& reply) const {
  const AnswerCase* found = nullptr;
  for (const AnswerCase& each : cases_)
    if (each.question.size() == length && matches(question, each.question.data(), each.mask.data(), length)) found = &each;
  if (!found || port == 0) return Outcome::unknown;
  for (const Range4& range : refused_)
    if ((ip & range.mask) == range.value) return Outcome::unknown;
  if (icmpSum(question + found->questionPacketAt, length - found->questionPacketAt) != 0xffff) return Outcome::unknown;
  if (!limit_->take(ip, nowMs)) return Outcome::limited;

  reply.length = found->answer.size();
  reply.viaOther = found->viaOther;
  std::memcpy(reply.bytes, found->answer.data(), reply.length);
  for (const auto& copy : found->copies) std::memcpy(reply.bytes + copy.to, question + copy.from, copy.length);
  // RFC 4380 §5.1.1: 0, 0, then port and address with every bit inverted.
  uint8_t* origin = reply.bytes + found->originAt;
  store16(origin, 0);
  store16(origin + 2, static_cast<uint16_t>(~port));
  store32(origin + 4, ~ip);
  uint8_t* packet = reply.bytes + found->answerPacketAt;
  uint8_t* field = packet + kIp6Header + kIcmpChecksum;
  field[0] = field[1] = 0;
  storeChecksum(field, icmpSum(packet, reply.length - found->answerPacketAt), false);
  return Outcome::answered;
}

}  // namespace shipworm
