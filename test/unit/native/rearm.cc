// Makes the timer on descriptor FD of process PID run out now: the closest that a test comes to a clock that is set.
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

int main(int, char** arguments) {
  const auto pidfd = static_cast<int>(syscall(SYS_pidfd_open, atoi(arguments[1]), 0));
  const auto timer = static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, atoi(arguments[2]), 0));
  itimerspec now{};
  now.it_value.tv_sec = 1;  // of 1970
  if (timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &now, nullptr) == 0) return 0;
  perror("rearm");
  return 1;
}
