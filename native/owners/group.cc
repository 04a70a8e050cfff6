// Names the application group of a process by its control group.
#include <algorithm>
#include <vector>

#include "identity.h"

namespace owners {

namespace {

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  for (size_t from = 0; from <= text.size();) {
    const size_t to = std::min(text.find(by, from), text.size());
    parts.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  return parts;
}

// The whole id of a container; the last part of a UUID (Snaps and desktop applications) is shorter.
bool isId(const std::string& text) {
  return text.size() >= 64 && std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// `docker-<id>.scope`, `libpod-<id>.scope`, `cri-containerd-<id>.scope`, or a folder of that id below one of a container manager.
bool isContainer(const std::vector<std::string>& path) {
  static constexpr const char* kManagers[] = {"docker", "lxc", "lxc.payload", "kubepods", "kubepods.slice", "libpod", "libpod_parent", "machine.slice", "garden", "podman"};
  for (size_t i = 0; i < path.size(); i++) {
    for (const char* manager : kManagers)
      if (path[i] == manager && i + 1 < path.size()) return true;
    if (!path[i].ends_with(".scope")) continue;
    const std::string name = path[i].substr(0, path[i].size() - 6);
    const size_t dash = name.rfind('-');
    if (dash != std::string::npos && isId(name.substr(dash + 1))) return true;
  }
  return false;
}

// `snap.<name>.<app>...`: the name counts only when the file lies in that Snap, which root mounted.
std::string snapName(const std::string& part, const std::string& path) {
  if (!part.starts_with("snap.")) return "";
  const std::string name = part.substr(5, part.find('.', 5) - 5);
  return !name.empty() && (path.starts_with("/snap/" + name + "/") || path.starts_with("/var/lib/snapd/snap/" + name + "/")) ? name : "";
}

}  // namespace

GroupKind groupOf(const std::string& cgroups, const std::string& path, std::string& id) {
  // Only the root hierarchy of cgroup2 and systemd's own: `0::/...` and `N:name=systemd:/...`.
  for (const std::string& line : split(cgroups, '\n')) {
    const size_t named = line.find(":name=systemd:/");
    const std::string group = line.starts_with("0::/") ? line.substr(3) : named != std::string::npos ? line.substr(named + 14) : "";
    if (group.size() < 2) continue;
    const std::vector<std::string> parts = split(group.substr(1), '/');
    for (const std::string& part : parts) {
      const std::string name = snapName(part, path);
      if (name.empty()) continue;
      id = name;
      return GroupKind::snap;
    }
    // Made by `shipworm run` for one program; whatever lies below is that program's, too.
    const auto own = std::find_if(parts.begin(), parts.end(), [](const std::string& part) { return part.starts_with("shipworm-run-"); });
    if (own != parts.end()) {
      id.clear();
      for (auto part = parts.begin(); part <= own; ++part) id += "/" + *part;
      return GroupKind::run;
    }
    if (isContainer(parts)) {
      id = group;
      return GroupKind::container;
    }
    // A user's own manager names its units as it likes; the system's is root's.
    if (parts[0] != "system.slice") continue;
    const auto unit = std::find_if(parts.begin(), parts.end(), [](const std::string& part) { return part.ends_with(".service"); });
    if (unit == parts.end()) continue;
    id = *unit;
    return GroupKind::systemd;
  }
  return GroupKind::none;
}

}  // namespace owners
