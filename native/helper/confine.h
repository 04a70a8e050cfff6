// Gives up what the helper doesn't need: capabilities, root's user id, its terminal, inherited descriptors.
#pragma once
#include <sys/types.h>

#include <initializer_list>

namespace helper {

// `session`: CAP_NET_ADMIN only, as nobody, since root without capabilities still owns the system's files.
// `daemon`: root's id, and the capabilities to make sessions, which open what they may need before they confine themselves.
// `owners`: what reading other users' processes in /proc needs, as nobody.
enum class Keep { session, daemon, owners };

// False, with errno, when something could not be given up: then don't go on.
bool confine(Keep keep);

// Gives up the last capability too; false, with errno, when that fails.
bool dropCapabilities();

// Own session (no terminal's Ctrl-C), INT and HUP ignored, 0 to 2 on /dev/null.
bool detach();

// Closes every descriptor above 2 that is not listed; the list is in rising order.
void closeOthers(std::initializer_list<int> kept);

}  // namespace helper
