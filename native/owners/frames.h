// Frames between the engine and this process, on one stream: u32 length of the rest, u16 kind, body; numbers big-endian. engine/host/owner-frames.ts is the other side.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tables.h"

namespace owners {

enum class Kind : uint16_t {
  // From the engine.
  verdict = 2,     // u32 id, u64 cookie, u8 out, u8 in, u16 count, u16 port...
  resolve = 3,     // u32 id, u8 0 out or 1 in, flow
  release = 4,     // flow: no table of the engine's has it any more
  watch = 5,       // u16 count, path..., u16 count, {u32 pid, u64 started ms}..., u16 count, {u8 kind, id}...
  listeners = 6,   // u32 id
  forgotten = 7,   // u64 cookie: the engine forgot all flows of a closed socket
  // To the engine.
  mode = 128,      // u8 1 programs or 2 sock_diag, text: why not the programs, u8 starts are told at once, u8 everybody, u16 count, u32 user...
  owner = 129,     // u32 id, u8 found, u64 cookie, u8 known, owner if known
  closed = 130,    // u64 cookie
  attempt = 131,   // u64 cookie, flow, u32 times
  exec = 132,      // process, identity
  exit = 133,      // process
  listening = 134, // u32 id, u16 count, {listener}...
  listener = 135,  // u8 listening, listener
  applied = 136,   // u32 id: the kernel judges by that verdict
};

// flow: u8 protocol, u8 0, u16 local port, u16 remote port, local[16], remote[16].
constexpr size_t kFlowBytes = 38;
// Longer frames from the engine end the conversation.
constexpr uint32_t kMaxFrame = 1 << 20;

class Writer {
 public:
  explicit Writer(Kind kind);
  Writer& u8(uint8_t value);
  Writer& u16(uint16_t value);
  Writer& u32(uint32_t value);
  Writer& u64(uint64_t value);
  // u16 length, bytes; cut at 4096.
  Writer& text(const std::string& value);
  Writer& address(const Address& value);
  Writer& flow(const FlowKey& value);
  // The frame with its length.
  const std::vector<uint8_t>& finish();

 private:
  std::vector<uint8_t> bytes_;
};

// Reading past the end gives zeros and makes it bad.
class Reader {
 public:
  Reader(const uint8_t* bytes, size_t length) : at_(bytes), left_(length) {}
  uint8_t u8() { return static_cast<uint8_t>(number(1)); }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t u64() { return number(8); }
  std::string text();
  Address address();
  FlowKey flow();
  size_t left() const { return left_; }
  bool good() const { return good_; }
  // Everything was read, and nothing more.
  bool complete() const { return good_ && left_ == 0; }

 private:
  bool take(uint8_t* into, size_t count);
  uint64_t number(int bytes);
  const uint8_t* at_;
  size_t left_;
  bool good_ = true;
};

}  // namespace owners
