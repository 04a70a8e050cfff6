// Reads folders of machine policy, one on each line of standard input, and says of each what the helper makes of it, as JSON.
#include <cstdio>
#include <iostream>
#include <string>

#include "../../../native/policy/policy.h"

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const policy::Policy read = policy::readPolicy(line);
    std::printf("{\"off\":%s,\"closed\":%s,\"forbidden\":[", read.off ? "true" : "false", read.closed ? "true" : "false");
    const char* between = "";
    for (const policy::Application& one : read.forbidden) {
      std::printf("%s{\"path\":\"%s\",\"flatpak\":\"%s\",\"snap\":\"%s\",\"hash\":\"%s\",\"user\":%lld}", between, one.path.c_str(), one.flatpak.c_str(),
                  one.snap.c_str(), one.hash.c_str(), one.user ? static_cast<long long>(*one.user) : -1);
      between = ",";
    }
    std::puts("]}");
    std::fflush(stdout);
  }
}
