// Small helpers over the Node-API C headers, and the registration of the add-on.
#include "js.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

namespace shipworm {

uint32_t Arguments::u32(size_t i) const {
  uint32_t value = 0;
  napi_get_value_uint32(env_, values_[i], &value);
  return value;
}
int32_t Arguments::i32(size_t i) const {
  int32_t value = 0;
  napi_get_value_int32(env_, values_[i], &value);
  return value;
}
double Arguments::number(size_t i) const { return numberOf(env_, values_[i]); }
bool Arguments::boolean(size_t i) const {
  bool value = false;
  napi_get_value_bool(env_, values_[i], &value);
  return value;
}
Address Arguments::address(size_t i) const { return addressOf(env_, values_[i]); }

napi_value makeNumber(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}
napi_value makeText(napi_env env, const std::string& text) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &result);
  return result;
}
napi_value makeBoolean(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}
napi_value makeUndefined(napi_env env) {
  napi_value result = nullptr;
  napi_get_undefined(env, &result);
  return result;
}
void setField(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}
napi_value field(napi_env env, napi_value object, const char* name) {
  napi_value result = nullptr;
  napi_get_named_property(env, object, name, &result);
  return result;
}
double numberOf(napi_env env, napi_value value) {
  double result = 0;
  napi_get_value_double(env, value, &result);
  return result;
}
std::string textOf(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return {};
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, text.data(), length + 1, &length);
  return text;
}
uint32_t lengthOf(napi_env env, napi_value array) {
  uint32_t length = 0;
  napi_get_array_length(env, array, &length);
  return length;
}
napi_value elementOf(napi_env env, napi_value array, uint32_t i) {
  napi_value result = nullptr;
  napi_get_element(env, array, i, &result);
  return result;
}
Address addressOf(napi_env env, napi_value value) {
  uint64_t words[2] = {};  // least significant first
  size_t count = 2;
  int sign = 0;
  napi_get_value_bigint_words(env, value, &sign, &count, words);
  return {htobe64(words[1]), htobe64(words[0])};
}
Bytes bytesOf(napi_env env, napi_value value) {
  napi_typedarray_type type;
  void* data = nullptr;
  size_t length = 0;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok) return {};
  const size_t unit = type == napi_float64_array ? sizeof(double) : 1;
  return {static_cast<uint8_t*>(data), length * unit};
}

static const char* errorName(int error) {
  switch (error) {
#define X(name) \
  case name:    \
    return #name;
    X(EACCES) X(EADDRINUSE) X(EADDRNOTAVAIL) X(EAFNOSUPPORT) X(EAGAIN) X(EBADF) X(EBADMSG) X(EBUSY)
    X(ECANCELED) X(ECONNREFUSED) X(ECONNRESET) X(EEXIST) X(EFAULT) X(EHOSTUNREACH) X(EINTR) X(EINVAL) X(EIO) X(EMFILE)
    X(EMSGSIZE) X(ENAMETOOLONG) X(ENETDOWN) X(ENETUNREACH) X(ENFILE) X(ENOBUFS) X(ENODEV) X(ENOENT)
    X(ENOMEM) X(ENOTCONN) X(ENOTDIR) X(ENOTSOCK) X(EPERM) X(EPIPE) X(EPROTO) X(EPROTOTYPE) X(ETIMEDOUT)
#undef X
  }
  return nullptr;
}

napi_value makeSystemError(napi_env env, int error, const char* call) {
  const char* name = errorName(error);
  const std::string code = name ? name : "E" + std::to_string(error);
  char text[128];
  napi_value result = nullptr;
  napi_create_error(env, makeText(env, code),
                    makeText(env, std::string(call) + ": " + strerror_r(error, text, sizeof text)), &result);
  setField(env, result, "syscall", makeText(env, call));
  return result;
}
napi_value throwSystemError(napi_env env, int error, const char* call) {
  napi_throw(env, makeSystemError(env, error, call));
  return nullptr;
}

void defineMethods(napi_env env, napi_value object, std::initializer_list<Method> methods) {
  for (const Method& method : methods) {
    napi_value function = nullptr;
    napi_create_function(env, method.name, NAPI_AUTO_LENGTH, method.call, nullptr, &function);
    setField(env, object, method.name, function);
  }
}

}  // namespace shipworm

NAPI_MODULE_INIT() {
  shipworm::defineDatapath(env, exports);
  shipworm::defineHelper(env, exports);
  shipworm::defineWatches(env, exports);
  shipworm::defineUdp(env, exports);
  shipworm::defineNetwork(env, exports);
  return exports;
}
