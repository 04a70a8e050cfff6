// Opens the raw IPv6 socket of a server, which sends its clients' pings with the clients' own source.
#pragma once
#include "protocol.h"

namespace helper {

// Opened while the process may still open it; handed over once in the role `server`, else closed unused.
class RawSocket {
 public:
  // Packets come with their IPv6 header; none is ever received.
  void open();
  void close();
  // Gives the descriptor for handing over; to be closed after that. Once only.
  Answer take(int& fd);

 private:
  int fd_ = -1;
  int error_ = 0;  // errno of opening
  bool taken_ = false;
};

}  // namespace helper
