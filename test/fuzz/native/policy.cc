// Fuzzes the helper's reading of the machine policy: whatever a file holds, each forbidden application has exactly one name.
#include "../../../native/policy/policy.h"

#include "check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Exact input(data, size);
  const std::string_view text(reinterpret_cast<const char*>(input.bytes.get()), size);
  policy::Merger merger;
  merger.add(text);
  const policy::Policy once = merger.result();
  for (const policy::Application& one : once.forbidden) {
    // What is damaged is off, whatever of it was understood.
    if (once.off) break;
    CHECK(!one.path.empty() + !one.flatpak.empty() + !one.snap.empty() == 1);
    CHECK(one.path.empty() || one.path[0] == '/');
    CHECK(one.hash.empty() || one.hash.size() == 64);
  }
  CHECK(once.forbidden.empty() || once.closed);
  // The same file once more changes nothing but how often its applications are named.
  merger.add(text);
  CHECK(merger.result().off == once.off && merger.result().closed == once.closed);
  return 0;
}
