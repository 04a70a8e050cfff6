// Gives a client's UDP sockets more room than the system lets an ordinary user have.
#pragma once
#include <sys/types.h>

#include <span>
#include <vector>

#include "../owners/bpf.h"
#include "protocol.h"

namespace helper {

// Takes one message, as recv(2), with the descriptors that came along; if they are more than `kMaxSockets`, none.
ssize_t receiveFrame(int connection, uint8_t* bytes, size_t room, std::vector<owners::Descriptor>& came);

// All of `sockets` get `kSocketBuffer` bytes each way; none does if one of them is no UDP socket over IPv4.
Answer growBuffers(std::span<const owners::Descriptor> sockets);

}  // namespace helper
