// Makes the datapath a JavaScript object, as engine/host/addon.ts types it.
#include <endian.h>
#include <sys/socket.h>

#include <memory>

#include "datapath.h"
#include "js.h"

namespace shipworm {

namespace {

// Lives as long as the JavaScript object or a wake-up under way, whichever is longer.
struct Binding {
  std::unique_ptr<Datapath> datapath;
  napi_threadsafe_function wake = nullptr;
  bool closed = false;
};
using Shared = std::shared_ptr<Binding>;

void onWake(napi_env env, napi_value callback, void* context, void*) {
  // What was on its way as the function was given up comes without an environment, after the context is gone.
  if (!env) return;
  Binding& binding = **static_cast<Shared*>(context);
  if (binding.closed || !binding.datapath) return;
  napi_value result = nullptr;
  napi_call_function(env, makeUndefined(env), callback, 0, nullptr, &result);
}

void closeBinding(Binding& binding) {
  if (binding.closed) return;
  binding.closed = true;
  // The thread first: it uses `wake`.
  if (binding.datapath) binding.datapath->close();
  napi_release_threadsafe_function(binding.wake, napi_tsfn_abort);
}

// The environment ends (process.exit, a worker's end).
void onEnvironmentEnd(void* data) { closeBinding(**static_cast<Shared*>(data)); }

struct Call : Arguments {
  Call(napi_env env, napi_callback_info info) : Arguments(env, info) {
    void* wrapped = nullptr;
    if (napi_unwrap(env, self(), &wrapped) == napi_ok) binding = *static_cast<Shared*>(wrapped);
  }
  // False for a closed datapath, which takes every call and does nothing.
  explicit operator bool() const { return binding && !binding->closed; }
  Datapath* operator->() const { return binding->datapath.get(); }
  FlowKey flowKey() const {
    return {.local = address(1),
            .remote = address(3),
            .localPort = static_cast<uint16_t>(u32(2)),
            .remotePort = static_cast<uint16_t>(u32(4)),
            .protocol = static_cast<uint8_t>(u32(0))};
  }
  Shared binding;
};

EndpointKey endpointOf(napi_env env, napi_value endpoint) {
  const auto ip = static_cast<uint64_t>(numberOf(env, field(env, endpoint, "ip")));
  return ip << 16 | static_cast<uint16_t>(numberOf(env, field(env, endpoint, "port")));
}

napi_value setAddresses(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  std::vector<Address> addresses;
  for (uint32_t i = 0; i < lengthOf(env, call[0]); i++) addresses.push_back(addressOf(env, elementOf(env, call[0], i)));
  if (call) call->setAddresses(std::move(addresses));
  return nullptr;
}

std::vector<Range> rangesOf(napi_env env, napi_value list) {
  std::vector<Range> ranges;
  for (uint32_t i = 0; i < lengthOf(env, list); i++) {
    const napi_value range = elementOf(env, list, i);
    ranges.push_back({addressOf(env, field(env, range, "value")), addressOf(env, field(env, range, "mask"))});
  }
  return ranges;
}

napi_value setRanges(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto accept = rangesOf(env, call[0]), except = rangesOf(env, call[1]);
  if (call) call->setRanges(std::move(accept), std::move(except));
  return nullptr;
}

napi_value setServers(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  std::unordered_set<EndpointKey> servers;
  for (uint32_t i = 0; i < lengthOf(env, call[0]); i++) servers.insert(endpointOf(env, elementOf(env, call[0], i)));
  if (call) call->setServers(std::move(servers));
  return nullptr;
}

napi_value setPeer(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const EndpointKey endpoint = static_cast<EndpointKey>(call.u32(1)) << 16 | static_cast<uint16_t>(call.u32(2));
  return makeBoolean(env, !call || call->setPeer(call.address(0), endpoint, call.number(3)));
}

napi_value removePeer(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call) call->removePeer(call.address(0));
  return nullptr;
}

napi_value readPeer(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Peer* peer = call ? call->readPeer(call.address(0)) : nullptr;
  const Bytes into = bytesOf(env, call[1]);
  if (!peer || into.length < 6 * sizeof(double)) return makeBoolean(env, false);
  const double stamps[6] = {peer->lastReceivedMs.load(std::memory_order_relaxed),
                            peer->lastSentMs.load(std::memory_order_relaxed),
                            static_cast<double>(peer->bytesIn.load(std::memory_order_relaxed)),
                            static_cast<double>(peer->bytesOut.load(std::memory_order_relaxed)),
                            static_cast<double>(peer->packetsIn.load(std::memory_order_relaxed)),
                            static_cast<double>(peer->packetsOut.load(std::memory_order_relaxed))};
  std::memcpy(into.data, stamps, sizeof stamps);
  return makeBoolean(env, true);
}

napi_value setFlow(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  return makeBoolean(env, !call || call->setFlow(call.flowKey(), static_cast<Verdict>(call.u32(5))));
}

napi_value removeFlow(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call) call->removeFlow(call.flowKey());
  return nullptr;
}

napi_value clearFlows(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call) call->clearFlows();
  return nullptr;
}

napi_value setDefaultPass(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call) call->setDefaultPass(call.boolean(0));
  return nullptr;
}

napi_value setProbeId(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call) call->setProbeId(static_cast<uint16_t>(call.u32(0)));
  return nullptr;
}

napi_value transmit(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Bytes datagram = bytesOf(env, call[2]);
  if (call) call->transmit(call.u32(0), static_cast<uint16_t>(call.u32(1)), datagram.data, datagram.length);
  return nullptr;
}

napi_value deliver(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Bytes packet = bytesOf(env, call[0]);
  if (call) call->deliver(packet.data, packet.length);
  return nullptr;
}

napi_value drain(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Bytes into = bytesOf(env, call[0]);
  return makeNumber(env, call ? static_cast<double>(call->drain(into.data, into.length)) : 0);
}

napi_value setTap(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call) call->tap().set(call.boolean(0));
  return nullptr;
}

napi_value drainTap(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Bytes into = bytesOf(env, call[0]);
  return makeNumber(env, call ? static_cast<double>(call->tap().drain(into.data, into.length)) : 0);
}

napi_value tapLost(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  return makeNumber(env, call ? static_cast<double>(call->tap().lost()) : 0);
}

napi_value numbers(napi_env env, const std::vector<int>& values) {
  napi_value array = nullptr;
  napi_create_array_with_length(env, values.size(), &array);
  for (uint32_t i = 0; i < values.size(); i++) napi_set_element(env, array, i, makeNumber(env, values[i]));
  return array;
}

napi_value bufferBytes(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  return numbers(env, call ? std::vector{call->bufferBytes(SO_RCVBUF), call->bufferBytes(SO_SNDBUF)} : std::vector{0, 0});
}

napi_value sockets(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  return numbers(env, call ? call->sockets() : std::vector<int>{});
}

napi_value counters(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  napi_value result = nullptr;
  napi_create_object(env, &result);
  if (!call.binding) return result;
  for (size_t i = 0; i < std::size(kCounterNames); i++)
    setField(env, result, kCounterNames[i], makeNumber(env, static_cast<double>(call->counters().read(i))));
  setField(env, result, "socketDrops", makeNumber(env, static_cast<double>(call->socketDrops())));
  return result;
}

napi_value failure(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const char* text = call.binding ? call->failure() : nullptr;
  if (text) return makeText(env, text);
  napi_value result = nullptr;
  napi_get_null(env, &result);
  return result;
}

napi_value sleep(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call) call->sleep();
  return nullptr;
}

napi_value wake(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  SystemFailure problem;
  if (call && !call->wake(call.u32(0), static_cast<uint16_t>(call.u32(1)), problem))
    return throwSystemError(env, problem.error, problem.call);
  return nullptr;
}

napi_value close(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call) closeBinding(*call.binding);
  return nullptr;
}

napi_value openDatapath(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const napi_value options = arguments[0];
  DatapathConfig config;
  const napi_value tun = field(env, options, "tun");
  for (uint32_t i = 0; i < lengthOf(env, tun); i++)
    config.tun.push_back(static_cast<int>(numberOf(env, elementOf(env, tun, i))));
  napi_get_value_bool(env, field(env, options, "vnetHeader"), &config.vnetHeader);
  napi_get_value_bool(env, field(env, options, "offloads"), &config.offloads);
  const EndpointKey bind = endpointOf(env, field(env, options, "bind"));
  config.ip = static_cast<uint32_t>(bind >> 16);
  config.port = static_cast<uint16_t>(bind);
  config.validMs = numberOf(env, field(env, options, "validMs"));
  config.maxPeers = static_cast<uint32_t>(numberOf(env, field(env, options, "maxPeers")));
  config.maxFlows = static_cast<uint32_t>(numberOf(env, field(env, options, "maxFlows")));

  auto shared = std::make_unique<Shared>(std::make_shared<Binding>());
  const Shared binding = *shared;
  const auto dropContext = [](napi_env, void* data, void*) { delete static_cast<Shared*>(data); };
  if (napi_create_threadsafe_function(env, field(env, options, "onWake"), nullptr, makeText(env, "shipworm datapath"), 0, 1,
                                      shared.get(), dropContext, shared.get(), onWake, &binding->wake) != napi_ok)
    return throwSystemError(env, EINVAL, "napi_create_threadsafe_function");
  shared.release();
  config.wake = [wake = binding->wake] { napi_call_threadsafe_function(wake, nullptr, napi_tsfn_nonblocking); };

  SystemFailure problem;
  binding->datapath = Datapath::open(std::move(config), problem);
  if (!binding->datapath) {
    closeBinding(*binding);
    return throwSystemError(env, problem.error, problem.call);
  }

  napi_value object = nullptr, local = nullptr;
  napi_create_object(env, &object);
  napi_create_object(env, &local);
  setField(env, local, "ip", makeNumber(env, static_cast<double>(binding->datapath->local() >> 16)));
  setField(env, local, "port", makeNumber(env, static_cast<uint16_t>(binding->datapath->local())));
  setField(env, object, "local", local);
  napi_value offloads = nullptr;
  napi_create_array(env, &offloads);
  const auto& names = binding->datapath->offloads();
  for (size_t i = 0; i < names.size(); i++) napi_set_element(env, offloads, static_cast<uint32_t>(i), makeText(env, names[i]));
  setField(env, object, "offloads", offloads);
  defineMethods(env, object,
                {{"setAddresses", setAddresses}, {"setRanges", setRanges}, {"setServers", setServers}, {"setPeer", setPeer},
                 {"removePeer", removePeer}, {"readPeer", readPeer}, {"setFlow", setFlow},
                 {"removeFlow", removeFlow}, {"clearFlows", clearFlows}, {"setDefaultPass", setDefaultPass},
                 {"setProbeId", setProbeId}, {"transmit", transmit}, {"deliver", deliver}, {"drain", drain},
                 {"setTap", setTap}, {"drainTap", drainTap}, {"tapLost", tapLost}, {"bufferBytes", bufferBytes}, {"sockets", sockets},
                 {"counters", counters}, {"failure", failure}, {"sleep", sleep}, {"wake", wake}, {"close", close}});
  // The wrapped object and the end of the environment each close it; whichever comes first.
  auto* wrapped = new Shared(binding);
  napi_add_env_cleanup_hook(env, onEnvironmentEnd, wrapped);
  napi_wrap(
      env, object, wrapped,
      [](napi_env owner, void* data, void*) {
        napi_remove_env_cleanup_hook(owner, onEnvironmentEnd, data);
        closeBinding(**static_cast<Shared*>(data));
        delete static_cast<Shared*>(data);
      },
      nullptr, nullptr);
  return object;
}

}  // namespace

void defineDatapath(napi_env env, napi_value exports) { defineMethods(env, exports, {{"openDatapath", openDatapath}}); }

}  // namespace shipworm
