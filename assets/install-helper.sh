# Installs the helper for good; run as root, with the variables source, sum, action, unit and socket set before it.
# The copy is checked, not the original: whoever owns the original could change it in between.
set -eu
umask 022
fail() {
  echo "$1" >&2
  exit 1
}
[ "$(id -u)" = 0 ] || fail "This needs root."
folder=/usr/lib/shipworm
mkdir -p "$folder" /usr/share/polkit-1/actions
[ "$(stat -c %u "$folder")" = 0 ] || fail "$folder does not belong to root."
new=$(mktemp "$folder/.helper.XXXXXX")
trap 'rm -f "$new"' EXIT
cat "$source" > "$new"
[ "$(sha256sum < "$new" | cut -d' ' -f1)" = "$sum" ] || fail "The helper is not the one that was meant to be installed."
chmod 755 "$new"
mv -f "$new" "$folder/shipworm-helper"
printf '%s' "$action" > /usr/share/polkit-1/actions/org.shipworm.helper.policy
# Where systemd runs, it starts the helper for whoever agreed, without pkexec.
if [ -d /run/systemd/system ] && [ -n "${PKEXEC_UID:-}" ]; then
  printf '%s' "$socket" > /etc/systemd/system/shipworm-desktop-helper.socket
  printf '%s' "$unit" | sed "s/@UID@/$PKEXEC_UID/" > /etc/systemd/system/shipworm-desktop-helper.service
  systemctl daemon-reload
  systemctl enable --now shipworm-desktop-helper.socket
fi
