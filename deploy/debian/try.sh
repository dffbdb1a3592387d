#!/bin/sh
# Installs, upgrades, removes and purges a package in a throw-away copy of this machine's root: try.sh PACKAGE.deb
# It takes root, and changes nothing outside of its namespaces.
set -eu

if [ "${INSIDE-}" != namespaces ]; then
    INSIDE=namespaces exec unshare --mount --net --pid --fork --propagation private "$0" "$(realpath "$1")"
fi

die() { echo "try.sh: $*" >&2; exit 1; }

deb=$1
work=$(mktemp -d)
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
root=$work/root
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
ip link set lo up
cp "$deb" "$root/tmp/relay.deb"
# A second version, with another configuration.
dpkg-deb -R "$deb" "$work/next"
sed -i 's/^Version: .*/Version: 99/' "$work/next/DEBIAN/control"
echo '# of the next version' >> "$work/next/etc/relay/relay.toml"
dpkg-deb -b "$work/next" "$root/tmp/next.deb" > /dev/null

clean="env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive"
inside() { chroot "$root" $clean "$@"; }

# The index of all of this machine's man pages is not what is tried here.
rm -f "$root/var/lib/man-db/auto-update"
# As if systemd ran here: what the package asks of it is written down.
mkdir -p "$root/run/systemd/system" "$work/asked"
: > "$root/run/asked"
for program in /usr/bin/deb-systemd-invoke /lib/systemd/systemd-sysctl; do
    stub=$work/asked/$(basename "$program")
    printf '#!/bin/sh\necho "%s $*" >> /run/asked\n' "$(basename "$program")" > "$stub"
    chmod 755 "$stub"
    mount --bind "$stub" "$root$program"
done
inside dpkg -i /tmp/relay.deb
for program in /usr/bin/deb-systemd-invoke /lib/systemd/systemd-sysctl; do
    umount "$root$program"
done
rm -r "$root/run/systemd"
# A relay that starts before its buffers may be large keeps small ones.
steps=$(sed -n 's/^systemd-sysctl --prefix=\/net\/core$/buffers/p; s/^deb-systemd-invoke start .*relay.service.*/start/p' "$root/run/asked")
test "$(echo $steps)" = "buffers start" || die "not first the buffers, then the start: $(cat "$root/run/asked")"
inside id _relay
# By default systemd gives up after five failures in ten seconds.
grep -qx StartLimitIntervalSec=0 "$root/lib/systemd/system/relay.service" || die "systemd may give the relay up"
test -L "$root/etc/systemd/system/multi-user.target.wants/relay.service" || die "relay.service is not enabled"
inside cp /usr/share/doc/udp-relay/examples/relay.socket /run/
verified=$(inside env SYSTEMD_LOG_LEVEL=notice systemd-analyze verify --man=no relay.service /run/relay.socket 2>&1) || die "$verified"
test -z "$verified" || die "$verified"

# A token as the manual has it made; the unit's user can read it.
grep '^install -m .*/etc/relay/status-token' "$root/usr/share/doc/udp-relay/docs/operations.md" > "$root/tmp/token"
inside sh /tmp/token
inside sh -c 'echo 0123456789abcdef0123456789abcdef > /etc/relay/status-token'

# The unit's command, as the unit's user; a client talks to it.
chroot "$root" $clean \
    setpriv --reuid=_relay --regid=_relay --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
    relay --config /etc/relay/relay.toml --status-token-file /etc/relay/status-token &
relay=$!
until group=$(inside relay-chat create 2> /dev/null); do
    kill -0 "$relay" || die "the relay has ended"
done
inside relay-chat send --group "$group" hello
inside relay-loadgen run --clients 4 --group-size 2 --rate 10 --duration 1s > /dev/null || test $? = 98 # a machine too busy to measure
kill "$relay"
wait "$relay" || die "the relay ended with $?"
rm "$root/etc/relay/status-token"

for page in "$root"/usr/share/man/man8/relay*.8.gz "$root"/usr/share/man/man1/relay-*.1.gz; do
    warnings=$(man --warnings -l "$page" 2>&1 >> "$root/tmp/pages") || die "$page: $warnings"
    test -z "$warnings" || die "$page: $warnings"
done
if grep -l -e EXTRA -e '`' "$root/tmp/pages"; then die "a manual has backquotes or a section EXTRA"; fi
for program in relay relay-chat relay-loadgen; do
    inside "$program" --version | grep -q "^$program [0-9]" || die "$program has another name: $(inside "$program" --version)"
done

# Every link of the documents leads to a file, but those into the sources.
documents=$root/usr/share/doc/udp-relay
find "$documents" -name '*.md' | while read -r document; do
    grep -oE '\]\([^)#]+' "$document" | sed 's/^](//' | grep -vE '://|^(\.\./relay/|LICENSE-)' | while read -r link; do
        test -e "$(dirname "$document")/$link" || die "$document links to $link, which is not installed"
    done
done
inside grep -q 'job_name: relay' /usr/share/doc/udp-relay/dashboards/prometheus.yml
inside grep -q RelayDown /usr/share/doc/udp-relay/dashboards/alerts.yml

# Each kind of licence of what is linked, once.
notices=$documents/NOTICES
for text in '^axum [0-9.]*: MIT' 'Copyright (c) 2019.* Axum' 'Redistribution and use in source' 'UNICODE LICENSE'; do
    grep -qi "$text" "$notices" || die "no \"$text\" among the notices"
done

# What bash offers for the last word.
cat > "$root/tmp/complete" <<'END'
source "/usr/share/bash-completion/completions/$1"
function=$(complete -p "$1" | sed 's/.* -F \([^ ]*\) .*/\1/')
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
echo "${COMPREPLY[*]}"
END
offers() {
    wanted=$1
    shift
    offered=$(inside bash /tmp/complete "$@")
    test "$offered" = "$wanted" || die "for \"$*\" bash offers \"$offered\" and not \"$wanted\""
}
offers "auto uring mmsg" relay --backend ""
offers "debug" relay doctor --log-level d
offers "--measure" relay doctor --mea
offers "--timeout" relay-chat send --timeo
offers "--count" relay-chat listen --co
offers "game" relay-loadgen run --profile g
offers "--max-p99 --max-p999" relay-loadgen capacity --max-p99

# What the operator has written stays.
echo '# of the operator' >> "$root/etc/relay/relay.toml"
inside dpkg --force-confold -i /tmp/next.deb
grep -q '# of the operator' "$root/etc/relay/relay.toml" || die "the upgrade has overwritten the configuration"
inside dpkg -r udp-relay
test ! -e "$root/usr/bin/relay" || die "the program is still there"
grep -q '# of the operator' "$root/etc/relay/relay.toml" || die "removing has removed the configuration"
inside dpkg -P udp-relay

# What is left of it, files that were removed aside: the user, by Debian's custom, and what dpkg and man keep of everything.
left=$(cd "$work/upper" && find . \( -type f -o -type l \) \
    ! -path './etc/passwd*' ! -path './etc/group*' ! -path './etc/shadow*' ! -path './etc/gshadow*' ! -path './etc/.pwd.lock' \
    ! -path './var/lib/dpkg/*' ! -path './var/log/*' ! -path './var/cache/*' ! -path './run/*')
test -z "$left" || die "purging leaves: $left"
echo "try.sh: installed, served, upgraded, removed and purged"
