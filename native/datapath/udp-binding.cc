// Makes a server's UDP port, its table of answers and its limit JavaScript objects, as engine/host/addon.ts types them.
//
// A slot to be sent is u32 length, u8 outcome of sending, u8[3] 0, u32 IPv4 address, u16 port, u16 0, then the datagram; host byte order.
#include <algorithm>
#include <cstring>

#include "js.h"
#include "socket.h"
#include "udp.h"

namespace shipworm {

namespace {

constexpr size_t kBatch = 64, kHead = 16, kSlot = 2064;

struct Head {
  uint32_t length;
  uint8_t outcome, pad[3];
  uint32_t ip;
  uint16_t port, zero;
};
static_assert(sizeof(Head) == kHead);

// Lives as long as the JavaScript object or a wake-up under way, whichever is longer.
struct Binding {
  std::unique_ptr<UdpPort> udp;
  napi_threadsafe_function tell = nullptr;
  bool closed = false;

  void close() {
    if (closed) return;
    closed = true;
    // The threads first: they use `tell`.
    if (udp) udp->close();
    if (tell) napi_release_threadsafe_function(tell, napi_tsfn_abort);
  }
};
using Shared = std::shared_ptr<Binding>;
using SharedLimit = std::shared_ptr<SourceLimit>;

// What `object` wraps; empty when it is none of ours.
template <class T>
T unwrapped(napi_env env, napi_value object) {
  void* wrapped = nullptr;
  return napi_unwrap(env, object, &wrapped) == napi_ok ? *static_cast<T*>(wrapped) : T{};
}

void onTold(napi_env env, napi_value callback, void* context, void*) {
  // What was on its way as the function was given up comes without an environment, after the context is gone.
  if (!env) return;
  const Shared binding = *static_cast<Shared*>(context);
  if (binding->closed || !binding->udp) return;
  napi_value result = nullptr;
  napi_call_function(env, makeUndefined(env), callback, 0, nullptr, &result);
}

void onEnvironmentEnd(void* data) { (*static_cast<Shared*>(data))->close(); }

struct Call : Arguments {
  Call(napi_env env, napi_callback_info info) : Arguments(env, info), binding(unwrapped<Shared>(env, self())) {}
  // False for a closed socket, which takes every call and does nothing.
  explicit operator bool() const { return binding && !binding->closed; }
  UdpPort* operator->() const { return binding->udp.get(); }
  Shared binding;
};

napi_value drain(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Bytes into = bytesOf(env, call[0]);
  return makeNumber(env, call ? static_cast<double>(call->drain(into.data, into.length)) : 0);
}

napi_value send(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Bytes slots = bytesOf(env, call[0]);
  const size_t count = std::min({kBatch, slots.length / kSlot, static_cast<size_t>(call.u32(1))});
  mmsghdr messages[kBatch] = {};
  iovec parts[kBatch];
  sockaddr_in names[kBatch];
  UdpPort::Outcome outcomes[kBatch];
  std::fill_n(outcomes, count, UdpPort::kFailed);
  for (size_t i = 0; i < count; i++) {
    uint8_t* slot = slots.data + i * kSlot;
    Head head;
    std::memcpy(&head, slot, kHead);
    names[i] = socketAddress(static_cast<EndpointKey>(head.ip) << 16 | head.port);
    parts[i] = {slot + kHead, std::min<size_t>(head.length, kSlot - kHead)};
    messages[i].msg_hdr.msg_name = &names[i];
    messages[i].msg_hdr.msg_namelen = sizeof names[i];
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  if (call) call->send(messages, count, outcomes);
  for (size_t i = 0; i < count; i++) slots.data[i * kSlot + offsetof(Head, outcome)] = outcomes[i];
  return nullptr;
}

uint32_t u32Of(napi_env env, napi_value object, const char* name) {
  return static_cast<uint32_t>(numberOf(env, field(env, object, name)));
}

std::vector<uint8_t> copyOf(napi_env env, napi_value object, const char* name) {
  const Bytes bytes = bytesOf(env, field(env, object, name));
  return {bytes.data, bytes.data + bytes.length};
}

AnswerCase caseOf(napi_env env, napi_value given) {
  AnswerCase made;
  made.question = copyOf(env, given, "question");
  made.mask = copyOf(env, given, "mask");
  made.answer = copyOf(env, given, "answer");
  made.questionPacketAt = u32Of(env, given, "questionPacketAt");
  made.answerPacketAt = u32Of(env, given, "answerPacketAt");
  made.originAt = u32Of(env, given, "originAt");
  napi_get_value_bool(env, field(env, given, "viaOther"), &made.viaOther);
  const napi_value lent = field(env, given, "lent");
  for (uint32_t i = 0; i < lengthOf(env, lent); i++) {
    const napi_value copy = elementOf(env, lent, i);
    made.copies.push_back({u32Of(env, copy, "from"), u32Of(env, copy, "to"), u32Of(env, copy, "length")});
  }
  return made;
}

napi_value setAnswers(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (!call) return nullptr;
  napi_valuetype type;
  napi_typeof(env, call[0], &type);
  if (type != napi_object) return call->setAnswers(nullptr, nullptr), nullptr;
  std::vector<AnswerCase> cases;
  const napi_value list = field(env, call[0], "cases");
  for (uint32_t i = 0; i < lengthOf(env, list); i++) cases.push_back(caseOf(env, elementOf(env, list, i)));
  std::vector<Range4> refused;
  const napi_value ranges = field(env, call[0], "refused");
  for (uint32_t i = 0; i < lengthOf(env, ranges); i++) {
    const napi_value range = elementOf(env, ranges, i);
    const uint32_t prefix = u32Of(env, range, "prefix");
    const uint32_t mask = prefix ? ~uint32_t{0} << (32 - prefix) : 0;
    refused.push_back({u32Of(env, range, "network") & mask, mask});
  }
  const auto limit = unwrapped<SharedLimit>(env, field(env, call[0], "limit"));
  const auto sound = [](const AnswerCase& each) { return each.sound(); };
  // The only caller is the typed engine/host; a table that doesn't hold together is its fault.
  if (!limit || !std::all_of(cases.begin(), cases.end(), sound)) return throwSystemError(env, EINVAL, "setAnswers");
  const Shared other = unwrapped<Shared>(env, call[1]);
  call->setAnswers(std::make_shared<Answers>(std::move(cases), std::move(refused), limit),
                   other && !other->closed ? other->udp.get() : nullptr);
  return nullptr;
}

napi_value counts(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  static constexpr const char* kNames[] = {"answered", "limited", "sendFailed", "sendQueueFull", "lost"};
  static_assert(std::size(kNames) == static_cast<size_t>(UdpPort::Count::end));
  napi_value result = nullptr;
  napi_create_object(env, &result);
  for (size_t i = 0; i < std::size(kNames); i++) {
    const auto count = static_cast<UdpPort::Count>(i);
    setField(env, result, kNames[i], makeNumber(env, call.binding ? static_cast<double>(call->count(count)) : 0));
  }
  return result;
}

napi_value close(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call) call.binding->close();
  return nullptr;
}

napi_value openUdp(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  auto* context = new Shared(std::make_shared<Binding>());
  const Shared binding = *context;
  // The thread-safe function holds the socket as long as it may be told.
  const auto drop = [](napi_env, void* data, void*) { delete static_cast<Shared*>(data); };
  if (napi_create_threadsafe_function(env, arguments[3], nullptr, makeText(env, "shipworm udp"), 0, 1, context, drop, context,
                                      onTold, &binding->tell) != napi_ok) {
    delete context;
    return throwSystemError(env, EINVAL, "napi_create_threadsafe_function");
  }
  SystemFailure failure;
  const auto wake = [tell = binding->tell] { napi_call_threadsafe_function(tell, nullptr, napi_tsfn_nonblocking); };
  const size_t workers = std::max<size_t>(1, arguments.u32(2));
  binding->udp = UdpPort::open(arguments.u32(0), static_cast<uint16_t>(arguments.u32(1)), workers, wake, failure);
  if (!binding->udp) {
    binding->close();
    return throwSystemError(env, failure.error, failure.call);
  }
  napi_value object = nullptr;
  napi_create_object(env, &object);
  defineMethods(env, object,
                {{"drain", drain}, {"send", send}, {"setAnswers", setAnswers}, {"counts", counts}, {"close", close}});
  // The wrapped object and the end of the environment each close it; whichever comes first.
  auto* wrapped = new Shared(binding);
  napi_add_env_cleanup_hook(env, onEnvironmentEnd, wrapped);
  napi_wrap(
      env, object, wrapped,
      [](napi_env owner, void* data, void*) {
        napi_remove_env_cleanup_hook(owner, onEnvironmentEnd, data);
        (*static_cast<Shared*>(data))->close();
        delete static_cast<Shared*>(data);
      },
      nullptr, nullptr);
  return object;
}

napi_value take(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto limit = unwrapped<SharedLimit>(env, arguments.self());
  return makeBoolean(env, limit && limit->take(arguments.u32(0), arguments.number(1)));
}

napi_value openSourceLimit(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  napi_value object = nullptr;
  napi_create_object(env, &object);
  defineMethods(env, object, {{"take", take}});
  auto* wrapped = new SharedLimit(std::make_shared<SourceLimit>(arguments.number(0), arguments.number(1), arguments.u32(2)));
  napi_wrap(
      env, object, wrapped, [](napi_env, void* data, void*) { delete static_cast<SharedLimit*>(data); }, nullptr, nullptr);
  return object;
}

}  // namespace

void defineUdp(napi_env env, napi_value exports) {
  defineMethods(env, exports, {{"openUdp", openUdp}, {"openSourceLimit", openSourceLimit}});
}

}  // namespace shipworm
