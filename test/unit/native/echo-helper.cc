// A stand-in for the privileged helper on descriptor 3: answers each frame reversed, with as many descriptors as its first byte says.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string_view>

int main() {
  char frame[4096];
  for (;;) {
    const ssize_t length = recv(3, frame, sizeof frame, 0);
    if (length <= 0) return 0;
    const std::string_view text(frame, static_cast<size_t>(length));
    if (text == "quit") return 0;
    if (text == "silent") continue;
    const auto count = static_cast<size_t>(frame[0]);
    std::reverse(frame, frame + length);
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 16)] = {};
    iovec part{frame, static_cast<size_t>(length)};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (count) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
      cmsghdr* item = CMSG_FIRSTHDR(&message);
      item->cmsg_level = SOL_SOCKET;
      item->cmsg_type = SCM_RIGHTS;
      item->cmsg_len = CMSG_LEN(sizeof(int) * count);
      for (size_t i = 0; i < count; i++) {
        const int fd = open("/proc/self/comm", O_RDONLY);
        std::memcpy(CMSG_DATA(item) + i * sizeof fd, &fd, sizeof fd);
      }
    }
    sendmsg(3, &message, 0);
    for (size_t i = 0; i < count; i++) {
      int fd;
      std::memcpy(&fd, control + CMSG_LEN(0) + i * sizeof fd, sizeof fd);
      close(fd);
    }
  }
}
