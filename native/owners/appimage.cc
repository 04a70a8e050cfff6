// Reads who holds which connection of the kernel's FUSE.
#include "appimage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>
#include <vector>

#include "bpf.h"
#include "holders.h"

namespace owners {

namespace {

struct Mount {
  std::string place, source;
  uint32_t connection = 0;  // the minor number of its device
  uid_t user = 0;
};

// proc(5): space, tab, line end and backslash are written as three octal digits.
std::string unescaped(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != '\\' || i + 3 >= text.size()) {
      plain += text[i];
      continue;
    }
    plain += static_cast<char>(strtoul(text.substr(i + 1, 3).c_str(), nullptr, 8));
    i += 3;
  }
  return plain;
}

// The FUSE mount that `path` lies in. mountinfo: `id parent major:minor root place options [...] - kind source options`.
bool findMount(const std::string& mountinfo, const std::string& path, Mount& found) {
  std::istringstream lines(mountinfo);
  bool isFuse = false;
  for (std::string line; std::getline(lines, line);) {
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream first(line.substr(0, dash)), last(line.substr(dash + 3));
    std::string word, device, place, kind, source, options;
    first >> word >> word >> device >> word >> place;
    last >> kind >> source >> options;
    place = unescaped(place);
    // Of mounts in mounts the innermost, of several at one place the last.
    if (place.size() < found.place.size() || !path.starts_with(place == "/" ? place : place + "/")) continue;
    const size_t user = options.find("user_id=");
    isFuse = (kind == "fuse" || kind.starts_with("fuse.")) && user != std::string::npos;
    found = {place, unescaped(source), 0, 0};
    if (!isFuse) continue;
    found.connection = static_cast<uint32_t>(strtoul(device.c_str() + device.find(':') + 1, nullptr, 10));
    found.user = static_cast<uid_t>(strtoul(options.c_str() + user + 8, nullptr, 10));
  }
  return isFuse;
}

// The specification: "AI" and the type at byte 8 of the ELF file.
bool isAppImage(const std::string& executable) {
  const Descriptor file(open(executable.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  std::array<char, 3> magic{};
  return file.valid() && pread(file.get(), magic.data(), magic.size(), 8) == 3 && magic[0] == 'A' && magic[1] == 'I' && (magic[2] == 1 || magic[2] == 2);
}

enum class Holds { no, maybe, yes };

// `maybe`: it holds one, and the kernel (before about Linux 6.16) does not say which.
Holds holdsConnection(const std::string& process, uint32_t connection) {
  const Folder folder(opendir((process + "/fd").c_str()));
  Holds holds = Holds::no;
  while (const dirent* entry = folder ? readdir(folder.get()) : nullptr) {
    char text[16];
    const ssize_t length = readlinkat(dirfd(folder.get()), entry->d_name, text, sizeof text);
    if (std::string_view(text, length > 0 ? static_cast<size_t>(length) : 0) != "/dev/fuse") continue;
    const Descriptor info(open((process + "/fdinfo/" + entry->d_name).c_str(), O_RDONLY | O_CLOEXEC));
    char bytes[512];
    const ssize_t got = info.valid() ? read(info.get(), bytes, sizeof bytes) : 0;
    const std::string said(bytes, got > 0 ? static_cast<size_t>(got) : 0);
    const size_t at = said.find("fuse_connection:");
    if (at == std::string::npos) holds = Holds::maybe;
    else if (strtoul(said.c_str() + at + 16, nullptr, 10) == connection) return Holds::yes;
  }
  return holds;
}

}  // namespace

pid_t appImageServer(const std::string& mountinfo, const std::string& path) {
  Mount mount;
  if (!findMount(mountinfo, path, mount)) return 0;
  std::vector<pid_t> maybe;
  std::pair<dev_t, ino_t> file{};
  const Folder folder(opendir("/proc"));
  while (const dirent* entry = folder ? readdir(folder.get()) : nullptr) {
    const auto pid = static_cast<pid_t>(strtol(entry->d_name, nullptr, 10));
    struct stat info{};
    if (pid <= 0 || fstatat(dirfd(folder.get()), entry->d_name, &info, 0) < 0 || (info.st_uid != mount.user && info.st_uid != 0)) continue;
    const std::string process = std::string("/proc/") + entry->d_name;
    const Holds holds = holdsConnection(process, mount.connection);
    if (holds == Holds::no || !isAppImage(process + "/exe")) continue;
    if (holds == Holds::yes) return pid;
    // By its name, under which it mounts itself; two files of one name are told apart by nothing.
    std::array<char, 4096> text;
    const ssize_t length = readlink((process + "/exe").c_str(), text.data(), text.size());
    const std::string name(text.data(), length > 0 ? static_cast<size_t>(length) : 0);
    if (name.substr(name.rfind('/') + 1) != mount.source || stat((process + "/exe").c_str(), &info) < 0) continue;
    if (!maybe.empty() && file != std::pair{info.st_dev, info.st_ino}) return 0;
    file = {info.st_dev, info.st_ino};
    maybe.push_back(pid);
  }
  return maybe.empty() ? 0 : maybe.front();
}

}  // namespace owners
