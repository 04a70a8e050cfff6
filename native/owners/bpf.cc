// Writes instructions in the kernel's encoding and makes the calls of bpf(2).
#include "bpf.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace owners {

namespace {

// Attributes that a kernel doesn't know must be zero: the union is passed no longer than it is used.
long bpf(bpf_cmd command, bpf_attr& attributes, size_t size = sizeof(bpf_attr)) {
  return syscall(SYS_bpf, command, &attributes, size);
}

uint64_t pointer(const void* to) { return reinterpret_cast<uintptr_t>(to); }

}  // namespace

int Descriptor::release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

void Descriptor::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

int Map::create(bpf_map_type type, uint32_t keyBytes, uint32_t valueBytes, uint32_t entries, uint32_t flags) {
  bpf_attr attributes{};
  attributes.map_type = type;
  attributes.key_size = keyBytes;
  attributes.value_size = valueBytes;
  attributes.max_entries = entries;
  attributes.map_flags = flags;
  fd_.reset(static_cast<int>(bpf(BPF_MAP_CREATE, attributes)));
  return fd_.valid() ? 0 : errno;
}

int Map::lookup(const void* key, void* value) const {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<uint32_t>(fd_.get());
  attributes.key = pointer(key);
  attributes.value = pointer(value);
  return bpf(BPF_MAP_LOOKUP_ELEM, attributes) < 0 ? errno : 0;
}

int Map::update(const void* key, const void* value, uint64_t flags) const {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<uint32_t>(fd_.get());
  attributes.key = pointer(key);
  attributes.value = pointer(value);
  attributes.flags = flags;
  return bpf(BPF_MAP_UPDATE_ELEM, attributes) < 0 ? errno : 0;
}

int Map::erase(const void* key) const {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<uint32_t>(fd_.get());
  attributes.key = pointer(key);
  return bpf(BPF_MAP_DELETE_ELEM, attributes) < 0 ? errno : 0;
}

int Map::batch(const uint32_t* from, uint32_t* next, void* keys, void* values, uint32_t& count) const {
  bpf_attr attributes{};
  attributes.batch.in_batch = pointer(from);
  attributes.batch.out_batch = pointer(next);
  attributes.batch.keys = pointer(keys);
  attributes.batch.values = pointer(values);
  attributes.batch.count = count;
  attributes.batch.map_fd = static_cast<uint32_t>(fd_.get());
  const int error = bpf(BPF_MAP_LOOKUP_BATCH, attributes) < 0 ? errno : 0;
  // At the end (ENOENT) there may be entries all the same; any other error gives none.
  count = error == 0 || error == ENOENT ? attributes.batch.count : 0;
  return error;
}

void Assembler::emit(uint8_t code, uint8_t to, uint8_t from, int16_t offset, int32_t value) {
  bpf_insn instruction{};
  instruction.code = code;
  instruction.dst_reg = to & 0xf;
  instruction.src_reg = from & 0xf;
  instruction.off = offset;
  instruction.imm = value;
  code_.push_back(instruction);
}

void Assembler::branch(uint8_t operation, uint8_t left, uint8_t right, int32_t value, const std::string& to) {
  jumps_.emplace_back(code_.size(), to);
  emit(operation, left, right, 0, value);
}

void Assembler::move(Register to, Register from) { emit(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
void Assembler::set(Register to, int32_t value) { emit(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value); }
void Assembler::set64(Register to, uint64_t value) {
  emit(BPF_LD | BPF_DW | BPF_IMM, to, 0, 0, static_cast<int32_t>(value));
  emit(0, 0, 0, 0, static_cast<int32_t>(value >> 32));
}
void Assembler::setMap(Register to, const Map& map) {
  emit(BPF_LD | BPF_DW | BPF_IMM, to, BPF_PSEUDO_MAP_FD, 0, map.fd());
  emit(0, 0, 0, 0, 0);
}
void Assembler::add(Register to, int32_t value) { emit(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value); }
void Assembler::bitAnd(Register to, Register with) { emit(BPF_ALU64 | BPF_AND | BPF_X, to, with, 0, 0); }
void Assembler::bitOr(Register to, int32_t value) { emit(BPF_ALU64 | BPF_OR | BPF_K, to, 0, 0, value); }
void Assembler::shiftRight(Register to, int32_t bits) { emit(BPF_ALU64 | BPF_RSH | BPF_K, to, 0, 0, bits); }
void Assembler::swap16(Register of) { emit(BPF_ALU | BPF_END | BPF_TO_BE, of, 0, 0, 16); }
void Assembler::load(Size size, Register to, Register base, int16_t offset) {
  emit(static_cast<uint8_t>(BPF_LDX | BPF_MEM | static_cast<uint8_t>(size)), to, base, offset, 0);
}
void Assembler::store(Size size, Register base, int16_t offset, Register from) {
  emit(static_cast<uint8_t>(BPF_STX | BPF_MEM | static_cast<uint8_t>(size)), base, from, offset, 0);
}
void Assembler::storeValue(Size size, Register base, int16_t offset, int32_t value) {
  emit(static_cast<uint8_t>(BPF_ST | BPF_MEM | static_cast<uint8_t>(size)), base, 0, offset, value);
}
void Assembler::addTo(Register base, int16_t offset, Register from) {
  emit(BPF_STX | BPF_ATOMIC | BPF_DW, base, from, offset, BPF_ADD);
}
void Assembler::call(bpf_func_id function) { emit(BPF_JMP | BPF_CALL, 0, 0, 0, function); }
void Assembler::jump(const std::string& to) { branch(BPF_JMP | BPF_JA, 0, 0, 0, to); }
void Assembler::ifEqual(Register left, int32_t value, const std::string& to) { branch(BPF_JMP | BPF_JEQ | BPF_K, left, 0, value, to); }
void Assembler::ifNot(Register left, int32_t value, const std::string& to) { branch(BPF_JMP | BPF_JNE | BPF_K, left, 0, value, to); }
void Assembler::ifSame(Register left, Register right, const std::string& to) { branch(BPF_JMP | BPF_JEQ | BPF_X, left, right, 0, to); }
void Assembler::ifDiffer(Register left, Register right, const std::string& to) { branch(BPF_JMP | BPF_JNE | BPF_X, left, right, 0, to); }
void Assembler::ifAbove(Register left, int32_t value, const std::string& to) { branch(BPF_JMP | BPF_JGT | BPF_K, left, 0, value, to); }
void Assembler::ifAny(Register left, int32_t value, const std::string& to) { branch(BPF_JMP | BPF_JSET | BPF_K, left, 0, value, to); }
void Assembler::exit() { emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }
void Assembler::leave(int32_t value) {
  set(R0, value);
  exit();
}

void Assembler::find(const Map& map, int16_t frame) {
  setMap(R1, map);
  move(R2, R10);
  add(R2, frame);
  call(BPF_FUNC_map_lookup_elem);
}

void Assembler::put(const Map& map, int16_t keyFrame, int16_t valueFrame, uint64_t flags) {
  setMap(R1, map);
  move(R2, R10);
  add(R2, keyFrame);
  move(R3, R10);
  add(R3, valueFrame);
  set(R4, static_cast<int32_t>(flags));
  call(BPF_FUNC_map_update_elem);
}

void Assembler::remove(const Map& map, int16_t keyFrame) {
  setMap(R1, map);
  move(R2, R10);
  add(R2, keyFrame);
  call(BPF_FUNC_map_delete_elem);
}

std::vector<bpf_insn> Assembler::finish() {
  for (const auto& [at, name] : jumps_) {
    const auto found = labels_.find(name);
    if (found == labels_.end()) abort();
    code_[at].off = static_cast<int16_t>(static_cast<long>(found->second) - static_cast<long>(at) - 1);
  }
  return code_;
}

Descriptor loadProgram(bpf_prog_type type, uint32_t attachType, const std::vector<bpf_insn>& code, const char* name, std::string* log) {
  static const char license[] = "MIT";
  std::vector<char> text(log ? 64 << 10 : 0);
  bpf_attr attributes{};
  attributes.prog_type = type;
  attributes.expected_attach_type = attachType;
  attributes.insns = pointer(code.data());
  attributes.insn_cnt = static_cast<uint32_t>(code.size());
  attributes.license = pointer(license);
  std::strncpy(attributes.prog_name, name, sizeof attributes.prog_name - 1);
  if (log) {
    attributes.log_level = 1;
    attributes.log_buf = pointer(text.data());
    attributes.log_size = static_cast<uint32_t>(text.size());
  }
  Descriptor program(static_cast<int>(bpf(BPF_PROG_LOAD, attributes)));
  if (log) *log = text.data();
  return program;
}

Descriptor attachToCgroup(int cgroup, int program, uint32_t attachType) {
  bpf_attr attributes{};
  attributes.link_create.prog_fd = static_cast<uint32_t>(program);
  attributes.link_create.target_fd = static_cast<uint32_t>(cgroup);
  attributes.link_create.attach_type = attachType;
  return Descriptor(static_cast<int>(bpf(BPF_LINK_CREATE, attributes)));
}

Descriptor attachToTracepoint(int program, const char* name) {
  bpf_attr attributes{};
  attributes.raw_tracepoint.name = pointer(name);
  attributes.raw_tracepoint.prog_fd = static_cast<uint32_t>(program);
  return Descriptor(static_cast<int>(bpf(BPF_RAW_TRACEPOINT_OPEN, attributes)));
}

}  // namespace owners
