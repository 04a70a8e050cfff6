// Runs the datapath's own table of answers on questions from standard input and prints what it makes of each.
//
// Lines in: "L <per second> <burst> <sources>" the limit; "C <via other> <question at> <answer at> <origin at> <question> <mask>
// <answer> <copies>" a case, copies as "<from>,<to>,<length>;…"; "R <value> <mask>" a refused range; "G" the table is complete;
// "Q <ip> <port> <ms> <hex>" a question; "T <ip> <ms>" asks the limit alone.
// For each Q a line: "?" left to others, "!" limited, "<via other> <hex>" the answer; for each T "0" or "1".
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "../../../native/datapath/answers.h"

using Bytes = std::vector<uint8_t>;

static Bytes parse(const std::string& hex) {
  Bytes bytes(hex == "-" ? 0 : hex.size() / 2);
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<uint8_t>(std::stoi(hex.substr(i * 2, 2), nullptr, 16));
  return bytes;
}

static void print(const uint8_t* bytes, size_t length) {
  static const char* kDigits = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < length; i++) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  std::cout << text;
}

static shipworm::AnswerCase readCase(std::istringstream& line) {
  shipworm::AnswerCase found;
  std::string question, mask, answer, copies;
  line >> found.viaOther >> found.questionPacketAt >> found.answerPacketAt >> found.originAt >> question >> mask >> answer >> copies;
  found.question = parse(question);
  found.mask = parse(mask);
  found.answer = parse(answer);
  std::istringstream list(copies);
  char separator;
  for (shipworm::AnswerCase::Copy copy; list >> copy.from >> separator >> copy.to >> separator >> copy.length; list >> separator)
    found.copies.push_back(copy);
  return found;
}

int main() {
  std::vector<shipworm::AnswerCase> cases;
  std::vector<shipworm::Range4> refused;
  std::shared_ptr<shipworm::SourceLimit> limit;
  std::optional<shipworm::Answers> answers;
  for (std::string text; std::getline(std::cin, text);) {
    std::istringstream line(text);
    char what = 0;
    line >> what;
    if (what == 'L') {
      double perSecond, burst;
      uint32_t sources;
      line >> perSecond >> burst >> sources;
      limit = std::make_shared<shipworm::SourceLimit>(perSecond, burst, sources);
    } else if (what == 'C') {
      cases.push_back(readCase(line));
      if (!cases.back().sound()) std::abort();
    } else if (what == 'R') {
      shipworm::Range4 range;
      line >> range.value >> range.mask;
      refused.push_back(range);
    } else if (what == 'G') {
      answers.emplace(cases, refused, limit);
    } else if (what == 'T') {
      uint32_t ip;
      double now;
      line >> ip >> now;
      std::cout << limit->take(ip, now) << "\n";
    } else if (what == 'Q') {
      uint32_t ip;
      uint16_t port;
      double now;
      std::string hex;
      line >> ip >> port >> now >> hex;
      const Bytes question = parse(hex);
      uint8_t room[shipworm::Answers::kMaxBytes];
      shipworm::Answers::Reply reply{room, 0, false};
      const auto outcome = answers->answer(ip, port, question.data(), question.size(), now, reply);
      if (outcome == shipworm::Answers::Outcome::answered) {
        std::cout << reply.viaOther << " ";
        print(reply.bytes, reply.length);
      } else {
        std::cout << (outcome == shipworm::Answers::Outcome::limited ? "!" : "?");
      }
      std::cout << "\n";
    }
  }
}
