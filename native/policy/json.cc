// A recursive descent whose depth is bounded.
#include "json.h"

#include <cstdint>
#include <cstdlib>
#include <utility>

namespace policy {

namespace {

constexpr bool isDigit(char c) { return c >= '0' && c <= '9'; }

// RFC 3629: no overlong form, no surrogate, nothing beyond U+10FFFF. The length of the sequence at `at`, 0 for a bad one.
size_t utf8Length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return at + i < text.size() ? static_cast<uint8_t>(text[at + i]) : 0; };
  const auto follows = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if ((first & 0xf0) == 0xe0) {
    const bool bad = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0);
    return !bad && follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool bad = (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90);
    return !bad && follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

void appendUtf8(std::string& to, uint32_t point) {
  const auto put = [&](uint32_t byte) { to.push_back(static_cast<char>(byte)); };
  if (point < 0x80) return put(point);
  if (point < 0x800) put(0xc0 | point >> 6);
  else if (point < 0x10000) put(0xe0 | point >> 12), put(0x80 | (point >> 6 & 0x3f));
  else put(0xf0 | point >> 18), put(0x80 | (point >> 12 & 0x3f)), put(0x80 | (point >> 6 & 0x3f));
  put(0x80 | (point & 0x3f));
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  bool whole(Json& into) {
    if (!value(into, 0)) return false;
    space();
    return at_ == text_.size();
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char wanted) {
    if (peek() != wanted || at_ >= text_.size()) return false;
    at_++;
    return true;
  }
  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) at_++;
  }
  bool word(std::string_view wanted) {
    if (text_.substr(at_, wanted.size()) != wanted) return false;
    at_ += wanted.size();
    return true;
  }

  bool value(Json& into, size_t depth) {
    if (depth >= kMaxDepth || ++values_ > kMaxValues) return false;
    space();
    switch (peek()) {
      case '{':
        into.kind = Json::Kind::object;
        return object(into, depth);
      case '[':
        into.kind = Json::Kind::list;
        return list(into, depth);
      case '"':
        into.kind = Json::Kind::text;
        return string(into.text);
      case 't':
        into.kind = Json::Kind::boolean;
        into.truth = true;
        return word("true");
      case 'f':
        into.kind = Json::Kind::boolean;
        return word("false");
      case 'n':
        return word("null");
      default:
        into.kind = Json::Kind::number;
        return number(into.number);
    }
  }

  bool object(Json& into, size_t depth) {
    at_++;
    space();
    if (take('}')) return true;
    do {
      std::string name;
      space();
      if (peek() != '"' || !string(name) || into.member(name)) return false;
      space();
      if (!take(':')) return false;
      into.names.push_back(std::move(name));
      if (!value(into.items.emplace_back(), depth + 1)) return false;
      space();
    } while (take(','));
    return take('}');
  }

  bool list(Json& into, size_t depth) {
    at_++;
    space();
    if (take(']')) return true;
    do {
      if (!value(into.items.emplace_back(), depth + 1)) return false;
      space();
    } while (take(','));
    return take(']');
  }

  bool hex4(uint32_t& unit) {
    if (text_.size() - at_ < 4) return false;
    unit = 0;
    for (const size_t end = at_ + 4; at_ < end; at_++) {
      const char c = text_[at_];
      const int digit = isDigit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (digit < 0) return false;
      unit = unit << 4 | static_cast<uint32_t>(digit);
    }
    return true;
  }

  bool escape(std::string& into) {
    static constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    if (take('u')) {
      uint32_t point = 0, low = 0;
      if (!hex4(point) || (point >= 0xdc00 && point <= 0xdfff)) return false;
      if (point >= 0xd800 && point <= 0xdbff) {
        if (!word("\\u") || !hex4(low) || low < 0xdc00 || low > 0xdfff) return false;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
      }
      appendUtf8(into, point);
      return true;
    }
    const size_t which = at_ < text_.size() ? kNames.find(text_[at_]) : std::string_view::npos;
    if (which == std::string_view::npos) return false;
    at_++;
    into.push_back(kMeanings[which]);
    return true;
  }

  bool string(std::string& into) {
    at_++;
    while (at_ < text_.size()) {
      if (take('"')) return true;
      if (take('\\')) {
        if (!escape(into)) return false;
        continue;
      }
      const size_t length = utf8Length(text_, at_);
      if (length == 0 || static_cast<uint8_t>(text_[at_]) < 0x20) return false;
      into.append(text_.substr(at_, length));
      at_ += length;
    }
    return false;
  }

  bool digits() {
    if (!isDigit(peek())) return false;
    while (isDigit(peek())) at_++;
    return true;
  }

  bool number(double& into) {
    const size_t from = at_;
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!digits()) return false;
    }
    into = strtod(std::string(text_.substr(from, at_ - from)).c_str(), nullptr);
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t values_ = 0;
};

}  // namespace

const Json* Json::member(std::string_view name) const {
  for (size_t i = 0; i < names.size(); i++)
    if (names[i] == name) return &items[i];
  return nullptr;
}

std::optional<Json> parseJson(std::string_view text) {
  Json whole;
  return Parser(text).whole(whole) ? std::optional<Json>(std::move(whole)) : std::nullopt;
}

}  // namespace policy
