#!/bin/sh
# Installs the Debian packages that building or testing needs, saying so; elsewhere, says what to install.
#     sh tests/install.sh compiler            what the build needs
#     sh tests/install.sh compiler programs   and the real players and seeds of the tests
set -eu

missing=
# wants PACKAGE TEST...: remembers the package if the test fails
wants() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}
has() { command -v "$1"; }
vlc_decodes() { ls /usr/lib/*/vlc/plugins/codec/libavcodec_plugin.so; }
boots_a_pc() { ls /usr/lib/grub/i386-pc/cdboot.img; }

for group in "$@"; do
    case $group in
    compiler)
        wants gcc has cc
        ;;
    programs)
        wants ffmpeg has ffmpeg
        wants mpv has mpv
        wants vlc-bin has cvlc
        wants vlc-plugin-base vlc_decodes
        wants tmux has tmux
        wants procps has ps
        wants curl has curl
        wants cadaver has cadaver
        wants davfs2 test -x /usr/sbin/mount.davfs
        wants transmission-daemon has transmission-daemon
        wants python3-libtorrent /usr/bin/python3 -c 'import libtorrent'
        # What reads from a mounted torrent.
        wants fuse3 has fusermount3
        wants rsync has rsync
        wants sqlite3 has sqlite3
        wants fio has fio
        wants qemu-system-x86 has qemu-system-x86_64
        wants grub-common has grub-mkrescue
        wants grub-pc-bin boots_a_pc
        wants xorriso has xorriso
        wants mtools has mformat
        # What reads ZIM files.
        wants zim-tools has zimdump
        wants kiwix-tools has kiwix-serve
        wants chromium has chromium
        wants chromium-driver has chromedriver
        ;;
    *)
        echo "install.sh: no such group: $group" >&2
        exit 2
        ;;
    esac
done
[ -n "$missing" ] || exit 0

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
if ! command -v apt-get >/dev/null || { [ -n "$sudo" ] && ! command -v sudo >/dev/null; }; then
    echo "These are needed and not here (named as Debian packages):$missing" >&2
    echo "Install them, then type the same again." >&2
    exit 1
fi
echo "Installing what is needed and not here:$missing"
# Nothing more than the packages themselves: no desktop comes with them, and no daemon is started.
$sudo apt-get update -q
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends $missing
