// Fuzzes the server's table of answers: whatever table is sound and whatever is asked, only what the table says goes back, and it is whole.
//
// Input: flags, source address (4) and port (2), places of question packet, answer packet and origin, length of the answer, number of
// copies (up to 4) and three bytes for each, length of the question, then question, mask, answer; what is left is asked.
#include "../../../native/datapath/answers.h"

#include <algorithm>

#include "check.h"

using namespace shipworm;

namespace {

constexpr uint8_t kMatching = 1, kMended = 2, kRefused = 4, kOther = 8;
constexpr size_t kIp6Header = 40, kIcmp6 = 58, kFixed = 13;

struct Reader {
  const uint8_t* at;
  size_t left;
  uint8_t byte() {
    if (!left) return 0;
    left--;
    return *at++;
  }
  std::vector<uint8_t> bytes(size_t count) {
    std::vector<uint8_t> taken(count);
    for (uint8_t& each : taken) each = byte();
    return taken;
  }
};

void mend(std::vector<uint8_t>& question, size_t at) {
  uint8_t* field = question.data() + at + kIp6Header + 2;
  field[0] = field[1] = 0;
  const uint16_t sum = static_cast<uint16_t>(~upperSum(question.data() + at, question.size() - at, kIcmp6));
  field[0] = static_cast<uint8_t>(sum >> 8);
  field[1] = static_cast<uint8_t>(sum);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kFixed) return 0;
  Reader in{data, size};
  const uint8_t flags = in.byte();
  uint32_t ip = 0;
  for (int i = 0; i < 4; i++) ip = ip << 8 | in.byte();
  const uint16_t port = static_cast<uint16_t>(in.byte() << 8 | in.byte());
  AnswerCase each;
  each.questionPacketAt = in.byte();
  each.answerPacketAt = in.byte();
  each.originAt = in.byte();
  const size_t answerLength = in.byte();
  for (size_t i = in.byte() % 5; i > 0; i--) {
    const uint32_t from = in.byte(), to = in.byte(), length = in.byte();
    each.copies.push_back({from, to, length});
  }
  const size_t questionLength = in.byte();
  each.question = in.bytes(questionLength);
  each.mask = in.bytes(questionLength);
  each.answer = in.bytes(answerLength);
  each.viaOther = flags & kOther;
  if (!each.sound()) return 0;

  std::vector<uint8_t> asked = in.bytes(flags & kMatching ? questionLength : in.left);
  if (flags & kMatching)
    for (size_t i = 0; i < asked.size(); i++) asked[i] = static_cast<uint8_t>((asked[i] & ~each.mask[i]) | (each.question[i] & each.mask[i]));
  if (flags & kMended && asked.size() == questionLength) mend(asked, each.questionPacketAt);
  const std::vector<Range4> refused = {{0x0a000000, 0xff000000}, {flags & kRefused ? ip : 0x7f000001, 0xffffffff}};
  const Answers answers({each}, refused, std::make_shared<SourceLimit>(1, 1, 8));
  const Exact question(asked.data(), asked.size());
  const Exact room(std::vector<uint8_t>(Answers::kMaxBytes, 0xa5).data(), Answers::kMaxBytes);
  Answers::Reply reply{room.bytes.get(), 0, false};
  const Answers::Outcome outcome = answers.answer(ip, port, question.bytes.get(), question.length, 0, reply);

  // One byte after the other, where the table compares words.
  bool meant = port != 0 && asked.size() == questionLength && ip >> 24 != 10 && !(flags & kRefused) && ip != 0x7f000001;
  for (size_t i = 0; meant && i < asked.size(); i++) meant = ((asked[i] ^ each.question[i]) & each.mask[i]) == 0;
  meant = meant && upperSum(asked.data() + each.questionPacketAt, asked.size() - each.questionPacketAt, kIcmp6) == 0xffff;
  CHECK(outcome == (meant ? Answers::Outcome::answered : Answers::Outcome::unknown));
  if (!meant) {
    CHECK(reply.length == 0 && std::all_of(room.bytes.get(), room.bytes.get() + room.length, [](uint8_t b) { return b == 0xa5; }));
    return 0;
  }
  CHECK(reply.length == answerLength && reply.viaOther == each.viaOther);
  // Nothing that was not ours to say: each byte is the template's, lent, or filled in.
  std::vector<uint8_t> expected = each.answer;
  for (const auto& copy : each.copies) std::copy_n(asked.begin() + copy.from, copy.length, expected.begin() + copy.to);
  const uint8_t origin[8] = {0, 0, static_cast<uint8_t>(~port >> 8), static_cast<uint8_t>(~port), static_cast<uint8_t>(~ip >> 24),
                             static_cast<uint8_t>(~ip >> 16), static_cast<uint8_t>(~ip >> 8), static_cast<uint8_t>(~ip)};
  std::copy_n(origin, sizeof origin, expected.begin() + each.originAt);
  const size_t sumAt = each.answerPacketAt + kIp6Header + 2;
  for (size_t i = 0; i < answerLength; i++) CHECK(i == sumAt || i == sumAt + 1 || reply.bytes[i] == expected[i]);
  for (size_t i = answerLength; i < room.length; i++) CHECK(reply.bytes[i] == 0xa5);
  CHECK(upperSum(reply.bytes + each.answerPacketAt, answerLength - each.answerPacketAt, kIcmp6) == 0xffff);
  // The second of a source within its time is the limit's.
  CHECK(answers.answer(ip, port, question.bytes.get(), question.length, 0, reply) == Answers::Outcome::limited);
  return 0;
}
