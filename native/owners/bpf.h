// Assembles kernel programs as raw bytecode and loads them by bpf(2): no compiler, no type information, no offsets into kernel structures.
#pragma once
#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace owners {

// Owns one descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release();
  void reset(int fd = -1);

 private:
  int fd_;
};

// One table that programs and this process share. Every call returns 0 or the errno with which the kernel refused it.
class Map {
 public:
  // `keyBytes` 0: a ring buffer of `entries` bytes.
  int create(bpf_map_type type, uint32_t keyBytes, uint32_t valueBytes, uint32_t entries, uint32_t flags = 0);
  int lookup(const void* key, void* value) const;
  int update(const void* key, const void* value, uint64_t flags = BPF_ANY) const;
  int erase(const void* key) const;
  // Calls `visit(key, value)` with copies of all entries, some hundred for each call of the kernel. It may erase them.
  template <typename Key, typename Value, typename Visit>
  void each(Visit visit) const {
    std::vector<Key> keys(kBatch);
    std::vector<Value> values(kBatch);
    uint32_t from = 0, next = 0;
    for (bool first = true, more = true; more; first = false, from = next) {
      uint32_t count = kBatch;
      more = batch(first ? nullptr : &from, &next, keys.data(), values.data(), count) == 0;
      for (uint32_t i = 0; i < count; i++) visit(keys[i], values[i]);
    }
  }
  int fd() const { return fd_.get(); }

 private:
  static constexpr uint32_t kBatch = 512;
  // Copies up to `count` entries behind the place `from` (null: the first), and says how many and the next place; not 0: they were the last.
  int batch(const uint32_t* from, uint32_t* next, void* keys, void* values, uint32_t& count) const;

  Descriptor fd_;
};

enum class Size : uint8_t { byte = BPF_B, half = BPF_H, word = BPF_W, full = BPF_DW };

// Registers: R0 result, R1 to R5 arguments (lost by a call), R6 to R9 kept, R10 frame.
enum Register : uint8_t { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 };

// Writes one program. Labels are names; a jump may name one that comes later.
class Assembler {
 public:
  void label(const std::string& name) { labels_[name] = code_.size(); }
  // A name that no other label has.
  std::string fresh() { return "#" + std::to_string(fresh_++); }
  void move(Register to, Register from);
  void set(Register to, int32_t value);
  void set64(Register to, uint64_t value);
  void setMap(Register to, const Map& map);
  void add(Register to, int32_t value);
  void bitAnd(Register to, Register with);
  void bitOr(Register to, int32_t value);
  void shiftRight(Register to, int32_t bits);
  // Between host and network order, 16 bits.
  void swap16(Register of);
  void load(Size size, Register to, Register base, int16_t offset);
  void store(Size size, Register base, int16_t offset, Register from);
  void storeValue(Size size, Register base, int16_t offset, int32_t value);
  // Adds `from` to 64 bits in memory, atomically.
  void addTo(Register base, int16_t offset, Register from);
  void call(bpf_func_id function);
  void jump(const std::string& to);
  void ifEqual(Register left, int32_t value, const std::string& to);
  void ifNot(Register left, int32_t value, const std::string& to);
  void ifSame(Register left, Register right, const std::string& to);
  void ifDiffer(Register left, Register right, const std::string& to);
  void ifAbove(Register left, int32_t value, const std::string& to);
  // Any of the bits of `value`.
  void ifAny(Register left, int32_t value, const std::string& to);
  void exit();
  void leave(int32_t value);

  // R0 = the value of the key at `frame` in `map`, or null.
  void find(const Map& map, int16_t frame);
  // R0 = 0, or a negative error.
  void put(const Map& map, int16_t keyFrame, int16_t valueFrame, uint64_t flags);
  void remove(const Map& map, int16_t keyFrame);

  // The instructions, jumps filled in. A label that is missing is a fault of this program: aborts.
  std::vector<bpf_insn> finish();

 private:
  void emit(uint8_t code, uint8_t to, uint8_t from, int16_t offset, int32_t value);
  void branch(uint8_t operation, uint8_t left, uint8_t right, int32_t value, const std::string& to);
  int fresh_ = 0;
  std::vector<bpf_insn> code_;
  std::map<std::string, size_t> labels_;
  std::vector<std::pair<size_t, std::string>> jumps_;
};

// Loads a program; an invalid descriptor, with errno set, when the kernel refuses it. `log` (may be null): what its verifier said.
Descriptor loadProgram(bpf_prog_type type, uint32_t attachType, const std::vector<bpf_insn>& code, const char* name, std::string* log = nullptr);
// Attaches `program` to the cgroup beside others'; it is detached as the link is closed.
Descriptor attachToCgroup(int cgroup, int program, uint32_t attachType);
Descriptor attachToTracepoint(int program, const char* name);

}  // namespace owners
