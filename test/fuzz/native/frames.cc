// Fuzzes the frames of the process that names owners: reading never leaves the bytes, and what was written is read back.
#include "../../../native/owners/frames.h"

#include "check.h"

using namespace owners;

// The first byte of each step says what is read next.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const size_t steps = size ? data[0] % 32 : 0;
  if (size < 1 + steps) return 0;
  const Exact input(data + 1 + steps, size - 1 - steps);
  Reader reader(input.bytes.get(), input.length);
  Writer writer(Kind::verdict);
  for (size_t i = 0; i < steps && reader.good(); i++) {
    const size_t before = reader.left();
    // What is not wholly there gives zeros and is not written again.
    switch (data[1 + i] % 7) {
      case 0: if (const auto value = reader.u8(); reader.good()) writer.u8(value); break;
      case 1: if (const auto value = reader.u16(); reader.good()) writer.u16(value); break;
      case 2: if (const auto value = reader.u32(); reader.good()) writer.u32(value); break;
      case 3: if (const auto value = reader.u64(); reader.good()) writer.u64(value); break;
      case 4: if (const auto value = reader.text(); reader.good() && value.size() <= 4096) writer.text(value); else return 0; break;
      case 5: if (const auto value = reader.address(); reader.good()) writer.address(value); break;
      default: if (const auto value = reader.flow(); reader.good()) writer.flow(value); break;
    }
    CHECK(reader.left() <= before);
  }
  if (!reader.good()) return 0;
  const size_t read = input.length - reader.left();
  const auto& frame = writer.finish();
  CHECK(frame.size() == 6 + read);
  for (size_t i = 0; i < read; i++) {
    // The second byte of a flow is a zero, whatever stood there.
    if (frame[6 + i] != input.bytes[i]) CHECK(frame[6 + i] == 0);
  }
  return 0;
}
