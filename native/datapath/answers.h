// Answers datagrams that need no judgement: a table says which they are, bit by bit, and what goes back.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sources.h"

namespace shipworm {

// One kind of question and its answer. Both hold an ICMPv6 packet that reaches to their end.
struct AnswerCase {
  struct Copy {
    uint32_t from, to, length;  // in the question, in the answer
  };
  // The question is exactly as long, and has these bits where `mask` has ones.
  std::vector<uint8_t> question, mask;
  // Zero where something is filled in: the copies, the origin, the checksum of the packet.
  std::vector<uint8_t> answer;
  std::vector<Copy> copies;
  uint32_t questionPacketAt = 0, answerPacketAt = 0, originAt = 0;
  // The answer leaves by the socket of the other address.
  bool viaOther = false;

  // True when every place lies within question and answer.
  bool sound() const;
};

struct Range4 {
  uint32_t value, mask;
};

class Answers {
 public:
  static constexpr size_t kMaxBytes = 256;  // of an answer
  enum class Outcome { unknown, limited, answered };
  struct Reply {
    uint8_t* bytes;  // room for kMaxBytes
    size_t length;
    bool viaOther;
  };

  Answers(std::vector<AnswerCase> cases, std::vector<Range4> refused, std::shared_ptr<SourceLimit> limit);
  // `unknown`: somebody else judges it, as if it had not been seen here.
  Outcome answer(uint32_t ip, uint16_t port, const uint8_t* question, size_t length, double nowMs, Reply& reply) const;

 private:
  const std::vector<AnswerCase> cases_;
  const std::vector<Range4> refused_;  // sources that are not for us to answer
  const std::shared_ptr<SourceLimit> limit_;
};

}  // namespace shipworm
