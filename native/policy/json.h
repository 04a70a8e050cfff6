// Reads one JSON text (RFC 8259) of bounded size and depth.
#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace policy {

constexpr size_t kMaxDepth = 16;
constexpr size_t kMaxValues = 20'000;

struct Json {
  enum class Kind { null, boolean, number, text, list, object };
  Kind kind = Kind::null;
  bool truth = false;
  double number = 0;
  std::string text;
  // Of a list, or of an object: then `names` has the name of each.
  std::vector<Json> items;
  std::vector<std::string> names;

  // The member of that name, or nothing; of an object alone. No name is there twice.
  const Json* member(std::string_view name) const;
};

// Nothing for what is no JSON text, what is nested too deep or holds too many values, a name that stands twice in one object (what
// one reader took for the last, another could take for the first), text that is not UTF-8, and half of a surrogate pair.
std::optional<Json> parseJson(std::string_view text);

}  // namespace policy
