// Fuzzes the requests to the privileged helper: what it understands is within every bound that its own code relies on.
#include "../../../native/helper/protocol.h"

#include "check.h"

using namespace helper;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Exact input(data, size);
  Request request{};
  const Answer answer = parseRequest(input.bytes.get(), size, request);
  CHECK(!buildReply(1, answer).empty());
  if (answer.status != Status::ok) {
    CHECK(!answer.text.empty());
    return 0;
  }
  CHECK(size <= kMaxRequest);
  const auto goodName = [](const std::string& name) {
    return !name.empty() && name.size() < kNameBytes && name.find('/') == std::string::npos && name.find('\0') == std::string::npos &&
           name[0] != '\0' && name != "." && name != ".." && name != "all" && name != "default";
  };
  switch (request.command) {
    case Command::openAdapter:
      CHECK(goodName(request.name));
      CHECK(request.mtu >= kMinMtu && request.mtu <= kMaxMtu && request.queues >= 1 && request.queues <= kMaxQueues);
      break;
    case Command::setAddress:
    case Command::removeAddress:
      // 2001::/32 and nothing else ever reaches the adapter.
      CHECK(request.address[0] == 0x20 && request.address[1] == 0x01 && request.address[2] == 0 && request.address[3] == 0);
      break;
    case Command::startRelay:
      CHECK(goodName(request.native) && request.forward <= Forward::every);
      break;
    default:
      break;
  }
  return 0;
}
