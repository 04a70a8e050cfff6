// Runs the datapath's segmentation and joining on packets from standard input and prints what they make of them.
//
// Lines in: "S <hex>" a packet with its virtio_net_hdr, to be segmented; "J <tcp> <udp> <hex> <hex> …" packets of one batch, to be joined.
// For each line in: a line "<hex>" for each segment or write (with its virtio_net_hdr), then "."; "!" for what is refused.
#include <algorithm>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "../../../native/datapath/coalesce.h"
#include "../../../native/datapath/segment.h"

using Bytes = std::vector<uint8_t>;

static Bytes parse(const std::string& hex) {
  Bytes bytes(hex.size() / 2);
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<uint8_t>(std::stoi(hex.substr(i * 2, 2), nullptr, 16));
  return bytes;
}

static void print(const uint8_t* bytes, size_t length) {
  static const char* kDigits = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < length; i++) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  std::cout << text;
}

static void segment(Bytes bytes) {
  shipworm::VnetHeader header;
  std::copy_n(bytes.data(), sizeof header, reinterpret_cast<uint8_t*>(&header));
  uint8_t* packet = bytes.data() + sizeof header;
  shipworm::SuperPacket super;
  if (!super.read(header, packet, bytes.size() - sizeof header)) {
    std::cout << "!\n";
    return;
  }
  for (size_t i = 0; !super.plain() && i < super.segments(); i++) {
    uint8_t headers[shipworm::SuperPacket::kMaxHeaders];
    super.writeHeaders(i, headers);
    print(headers, super.headerLength());
    print(super.payload(i), super.payloadLength(i));
    std::cout << "\n";
  }
  if (super.plain()) {
    print(packet, bytes.size() - sizeof header);
    std::cout << "\n";
  }
}

static void write(void*, const shipworm::Write& write) {
  for (int i = 0; i < write.count; i++) print(static_cast<uint8_t*>(write.parts[i].iov_base), write.parts[i].iov_len);
  std::cout << "\n";
}

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string command, hex;
    words >> command;
    if (command == "S" && words >> hex) {
      segment(parse(hex));
    } else if (command == "J") {
      bool tcp = false, udp = false;
      words >> tcp >> udp;
      shipworm::Coalescer coalescer(write, nullptr);
      coalescer.allow(tcp, udp);
      std::vector<Bytes> batch;
      while (words >> hex) batch.push_back(parse(hex));
      for (Bytes& packet : batch) coalescer.add(packet.data(), packet.size());
      coalescer.flush();
    }
    std::cout << ".\n";
  }
}
