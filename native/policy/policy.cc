// Judges files by the same rules as the engine: what one of them can't understand, the other must not let pass.
#include "policy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "json.h"

namespace policy {

namespace {

using Kind = Json::Kind;

constexpr std::string_view kKeys[] = {"state",         "serverName",        "refreshRate",           "clientPort",
                                      "defaultQualified", "allowedApplications", "forbiddenApplications", "lockedSettings"};
constexpr std::string_view kLockable[] = {"enabled",    "exposeAll",   "evenWithNativeIpv6", "answerEcho",
                                          "sleepAfter", "newNetworks", "allowPrivate"};
constexpr std::string_view kStates[] = {"default", "disabled", "client", "enterprise-client"};
constexpr std::string_view kApplication[] = {"path", "flatpak", "snap", "user", "hash"};

template <size_t N>
bool knows(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

template <size_t N>
bool onlyKnown(const Json& object, const std::string_view (&names)[N]) {
  return object.kind == Kind::object &&
         std::all_of(object.names.begin(), object.names.end(), [&](const std::string& name) { return knows(names, name); });
}

// A value that must be a boolean when it is there.
bool readTruth(const Json& object, std::string_view name, std::optional<bool>& into) {
  const Json* value = object.member(name);
  if (!value) return true;
  if (value->kind != Kind::boolean) return false;
  into = value->truth;
  return true;
}

bool readText(const Json& object, std::string_view name, std::string& into) {
  const Json* value = object.member(name);
  if (!value) return true;
  if (value->kind != Kind::text || value->text.empty()) return false;
  into = value->text;
  return true;
}

bool isSha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool readApplication(const Json& value, Application& into) {
  if (!onlyKnown(value, kApplication)) return false;
  if (!readText(value, "path", into.path) || !readText(value, "flatpak", into.flatpak) || !readText(value, "snap", into.snap) ||
      !readText(value, "hash", into.hash))
    return false;
  if (!into.path.empty() + !into.flatpak.empty() + !into.snap.empty() != 1) return false;
  if (!into.path.empty() && into.path[0] != '/') return false;
  if (!into.hash.empty() && !isSha256(into.hash)) return false;
  const Json* user = value.member("user");
  if (!user) return true;
  if (user->kind != Kind::number || user->number < 0 || user->number > 0xffffffff || user->number != std::floor(user->number)) return false;
  into.user = static_cast<uint32_t>(user->number);
  return true;
}

bool isRootsAlone(const std::string& path) {
  struct stat target{}, link{};
  return stat(path.c_str(), &target) == 0 && lstat(path.c_str(), &link) == 0 && target.st_uid == 0 && link.st_uid == 0 &&
         (target.st_mode & 022) == 0;
}

std::string folderOf(const std::string& path) { return path.substr(0, std::max<size_t>(path.rfind('/'), 1)); }

// False when it could not be read, or is too long.
bool readFile(const std::string& path, std::string& into) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  std::array<char, 16 << 10> part;
  ssize_t got = 0;
  while (into.size() <= kMaxFileBytes && (got = read(fd, part.data(), part.size())) > 0) into.append(part.data(), static_cast<size_t>(got));
  close(fd);
  return got == 0;
}

}  // namespace

void Merger::add(std::string_view text) {
  if (text.size() > kMaxFileBytes || !addWhole(text)) damaged_ = true;
}

bool Merger::addWhole(std::string_view text) {
  const auto whole = parseJson(text);
  if (!whole || !onlyKnown(*whole, kKeys)) return false;
  std::string state;
  if (!readText(*whole, "state", state) || (!state.empty() && !knows(kStates, state))) return false;
  if (const Json* locked = whole->member("lockedSettings")) {
    if (!onlyKnown(*locked, kLockable)) return false;
    if (!readTruth(*locked, "enabled", enabled_) || !readTruth(*locked, "exposeAll", exposeAll_)) return false;
  }
  if (const Json* list = whole->member("forbiddenApplications")) {
    if (list->kind != Kind::list || list->items.size() + forbidden_.size() > kMaxForbidden) return false;
    for (const Json& item : list->items)
      if (!readApplication(item, forbidden_.emplace_back())) return false;
  }
  if (!state.empty()) disabled_ = state == "disabled";
  return true;
}

Policy Merger::result() const {
  Policy policy;
  policy.off = damaged_ || disabled_ || !enabled_.value_or(true);
  policy.closed = !exposeAll_.value_or(true) || !forbidden_.empty();
  policy.forbidden = forbidden_;
  return policy;
}

Policy readPolicy(const std::string& directory) {
  Merger merger;
  DIR* folder = opendir(directory.c_str());
  if (!folder) {
    // There is none: nothing is said. One that can't be read may say anything.
    if (errno != ENOENT) merger.addDamaged();
    return merger.result();
  }
  std::vector<std::string> names;
  while (const dirent* entry = readdir(folder)) {
    const std::string name = entry->d_name;
    if (name.ends_with(".json")) names.push_back(name);
  }
  closedir(folder);
  std::sort(names.begin(), names.end());
  if (names.size() > kMaxFiles) merger.addDamaged();
  if (!isRootsAlone(directory) || !isRootsAlone(folderOf(directory))) return Merger().result();
  for (const std::string& name : names) {
    const std::string path = directory + "/" + name;
    std::string text;
    if (!isRootsAlone(path)) continue;
    if (readFile(path, text)) merger.add(text);
    else merger.addDamaged();
  }
  return merger.result();
}

Watched::~Watched() {
  if (fd_ >= 0) close(fd_);
}

void Watched::open(const std::string& directory) {
  directory_ = directory;
  fd_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd_ >= 0) watch();
  policy_ = readPolicy(directory_);
}

// The folder, and those above it, in which it may be made or taken away.
void Watched::watch() {
  constexpr uint32_t kChanges = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
  std::vector<std::string> folders;
  for (std::string path = directory_; folderOf(path) != path; path = folderOf(path)) folders.push_back(path);
  // From above: what is made after its parent was asked about is told, and what was made before is found.
  for (auto path = folders.rbegin(); path != folders.rend(); ++path) inotify_add_watch(fd_, path->c_str(), kChanges | IN_ONLYDIR);
}

bool Watched::takeEvents() const {
  alignas(inotify_event) std::array<char, 16 << 10> events;
  bool any = false;
  for (ssize_t got; (got = read(fd_, events.data(), events.size())) > 0;)
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(events.data() + at);
      at += static_cast<ssize_t>(sizeof *event + event->len);
      struct stat info{};
      const bool made = (event->mask & IN_CREATE) && !(event->mask & IN_ISDIR) && event->len > 0;
      const bool unwritten = made && lstat((directory_ + "/" + event->name).c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink == 1;
      any = any || !unwritten;
    }
  return any;
}

// Watched before it is read, so that no change falls between.
bool Watched::reread() {
  if (fd_ >= 0 && !takeEvents()) return false;
  if (fd_ >= 0) watch();
  policy_ = readPolicy(directory_);
  return true;
}

}  // namespace policy
