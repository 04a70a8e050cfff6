// Small helpers over the Node-API C headers: arguments in, values and system errors out.
#pragma once
#include <node_api.h>

#include <cstdint>
#include <initializer_list>
#include <string>

#include "packet.h"

namespace shipworm {

// The arguments and `this` data of one call. Wrong types read as 0: the only caller is the typed engine/host.
class Arguments {
 public:
  static constexpr size_t kMost = 8;
  Arguments(napi_env env, napi_callback_info info) : env_(env) {
    size_t count = kMost;
    napi_get_cb_info(env, info, &count, values_, &self_, &data_);
  }
  napi_value operator[](size_t i) const { return values_[i]; }
  napi_value self() const { return self_; }
  void* data() const { return data_; }
  uint32_t u32(size_t i) const;
  int32_t i32(size_t i) const;
  double number(size_t i) const;
  bool boolean(size_t i) const;
  Address address(size_t i) const;

 private:
  napi_env env_;
  napi_value values_[kMost] = {};
  napi_value self_ = nullptr;
  void* data_ = nullptr;
};

struct Bytes {
  uint8_t* data = nullptr;
  size_t length = 0;
};

napi_value makeNumber(napi_env env, double value);
napi_value makeText(napi_env env, const std::string& text);
napi_value makeBoolean(napi_env env, bool value);
napi_value makeUndefined(napi_env env);
void setField(napi_env env, napi_value object, const char* name, napi_value value);
napi_value field(napi_env env, napi_value object, const char* name);
double numberOf(napi_env env, napi_value value);
std::string textOf(napi_env env, napi_value value);
uint32_t lengthOf(napi_env env, napi_value array);
napi_value elementOf(napi_env env, napi_value array, uint32_t i);
// An IPv6 address from an unsigned 128-bit BigInt.
Address addressOf(napi_env env, napi_value value);
// The memory of a typed array; it stays put as long as the call lasts.
Bytes bytesOf(napi_env env, napi_value value);

// "bind: Address already in use", with `code` 'EADDRINUSE' and `syscall` 'bind'.
napi_value makeSystemError(napi_env env, int error, const char* call);
napi_value throwSystemError(napi_env env, int error, const char* call);

struct Method {
  const char* name;
  napi_callback call;
};
void defineMethods(napi_env env, napi_value object, std::initializer_list<Method> methods);

// Each part of the add-on puts its functions on the exports.
void defineDatapath(napi_env env, napi_value exports);
void defineHelper(napi_env env, napi_value exports);
void defineWatches(napi_env env, napi_value exports);
void defineUdp(napi_env env, napi_value exports);
void defineNetwork(napi_env env, napi_value exports);

}  // namespace shipworm
