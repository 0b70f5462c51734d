#!/bin/bash
# Runs a command as root in a throw-away virtual machine on Debian's stock kernel, which has IPVS as modules.
#
# usage: tests/src/vm.sh [--shell] [--counted] [--seconds N] COMMAND [ARGUMENT...]     runs it, passes output and exit code on
#        tests/src/vm.sh --needed                                                      exit code 0 where this kernel has no IPVS
#
# The root of the machine is the root of this one, read-only, under an overlay in memory: every program here is there, at
# the same path, and whatever the command writes is gone afterwards. There is no network. qemu emulates the processor in
# software, so a program runs about ten times slower there. --shell gives the command the terminal. --counted makes the machine's
# clock count the instructions of its one processor, one a nanosecond, and jump to the next timer when it has nothing to do: for
# measurements that must not depend on what this machine does beside; slower still. What waits for a file of this machine there waits
# for any time: read what you need before.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
state=$(realpath -m "${HOLDFAST_VM_STATE:-$here/../../target/vm}")
seconds=1200 shell= processor=(-accel tcg,thread=multi -smp 2)

die() { echo "vm.sh: $*" >&2; exit 97; }

# A kernel that can load IPVS answers ipvsadm in any network namespace.
kernel_has_ipvs() { unshare -n ipvsadm -Ln >/dev/null 2>&1; }

# Fetches Debian's kernel package and unpacks it below the state directory; nothing is installed.
fetch_kernel() {
  local package
  apt-cache show linux-image-amd64 >/dev/null 2>&1 || apt-get update -qq
  package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
  [ -n "$package" ] || die "apt knows no linux-image-amd64: the machine is not a Debian on amd64, or its package lists are empty"
  cd "$state"
  apt-get download -qq -o APT::Sandbox::User=root "$package" || { apt-get update -qq && apt-get download -qq -o APT::Sandbox::User=root "$package"; } || die "cannot download $package"
  rm -rf kernel && dpkg -x "$package"_*.deb kernel && rm -f "$package"_*.deb
}

# Packs an initrd that mounts the two shares and hands over to bash on the shared root.
build_initrd() {
  local version=$1 root=$state/initrd.root module
  depmod -b "$state/kernel" "$version"
  rm -rf "$root" && mkdir -p "$root"/{bin,proc,sys,dev,host,modules}
  cp "$(command -v busybox)" "$root/bin/busybox"
  for module in virtio_pci 9pnet_virtio 9p overlay; do
    modprobe -d "$state/kernel" -S "$version" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'
  done | awk '!seen[$0]++' | while read -r module; do
    case $module in *.xz) xz -dc "$module" ;; *.zst) zstd -qdc "$module" ;; *) cat "$module" ;; esac >"$root/modules/$(basename "$module")"
    basename "$module" >>"$root/modules/order"
  done
  cat >"$root/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sysfs /sys; $b mount -t devtmpfs devtmpfs /dev
for module in $($b cat /modules/order); do $b insmod /modules/$module; done
options=trans=virtio,version=9p2000.L,msize=1048576
$b mount -t 9p -o $options,cache=loose,ro root /host
$b mkdir -p /memory /new && $b mount -t tmpfs tmpfs /memory && $b mkdir /memory/upper /memory/work
$b mount -t overlay overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work /new
for d in proc sys dev; do $b mount --move /$d /new/$d; done
$b mount -t tmpfs tmpfs /new/run; $b mkdir -p /new/lib/modules /new/run/vm
$b mount -t 9p -o $options job /new/run/vm
exec $b switch_root /new /bin/bash /run/vm/boot
INIT
  chmod +x "$root/init"
  (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$state/initrd.new" && mv "$state/initrd.new" "$state/initrd"
  rm -rf "$root"
}

prepare() {
  local version program
  [ "$(uname -m)" = x86_64 ] || die "only x86_64 machines are emulated; run this on one, or on a kernel with IPVS"
  for program in qemu-system-x86_64 busybox cpio depmod dpkg; do
    command -v $program >/dev/null || die "$program is missing; tests/run installs what is needed"
  done
  mkdir -p "$state"
  exec 9>"$state/lock"
  flock 9
  [ -d "$state/kernel/lib/modules" ] || (fetch_kernel)
  version=$(ls "$state/kernel/lib/modules")
  [ "$state/initrd" -nt "$here/vm.sh" ] || build_initrd "$version"
  exec 9>&-
}

# Writes what the machine does once it is up: the terminal is the second serial line, so the output is seen as it happens.
write_boot() {
  local run
  printf -v run '%q ' "$@"
  cat >"$job/boot" <<BOOT
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=$(printf %q "${HOME:-/root}") TERM=$(printf %q "${TERM:-dumb}")
export HOLDFAST_IN_VM=1 RUST_BACKTRACE=$(printf %q "${RUST_BACKTRACE:-1}")
mount --bind $(printf %q "$state/kernel/lib/modules") /lib/modules
mkdir -p /dev/pts /dev/shm && mount -t devpts devpts /dev/pts && mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
cd $(printf %q "$PWD")
line=/dev/ttyS1
if [ -n "$shell" ]; then
  stty -F \$line sane rows ${LINES:-40} cols ${COLUMNS:-120}
  setsid -c bash -c $(printf %q "$run") <\$line >\$line 2>&1
else
  stty -F \$line raw -echo
  bash -c $(printf %q "$run") </dev/null >\$line 2>&1
fi
echo \$? >/run/vm/code
sync
echo o >/proc/sysrq-trigger
sleep 60
BOOT
}

while [ $# -gt 0 ]; do
  case $1 in
    --needed) if kernel_has_ipvs; then exit 1; else exit 0; fi ;;
    --shell) shell=1; shift ;;
    --counted) processor=(-accel tcg,thread=single -icount shift=0,sleep=off -smp 1); shift ;;
    --seconds) seconds=$2; shift 2 ;;
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || die "no command given; --help says more"
[ "$(id -u)" = 0 ] || die "must be run as root: the machine reads this one's whole root directory"
prepare
job=$(mktemp -d "$state/job.XXXXXX")
qemu=
trap '[ -z "$qemu" ] || kill "$qemu" 2>/dev/null || :; rm -rf "$job"' EXIT
trap 'exit 130' INT TERM HUP
write_boot "$@"
if [ -n "$shell" ]; then exec 3<&0; else exec 3</dev/null; fi
signal=$([ -n "$shell" ] && echo off || echo on)
timeout --foreground "$seconds" qemu-system-x86_64 "${processor[@]}" -cpu max -m 2048 \
  -display none -monitor none -no-reboot -nic none -kernel "$state"/kernel/boot/vmlinuz-* -initrd "$state/initrd" \
  -append "console=ttyS0 quiet panic=-1 mitigations=off" \
  -chardev file,id=console,path="$job/console" -serial chardev:console \
  -chardev stdio,id=line,signal="$signal" -serial chardev:line \
  -virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
  -virtfs local,path="$job",mount_tag=job,security_model=none <&3 2>"$job/qemu" &
qemu=$!
wait "$qemu" && ended=0 || ended=$?
qemu=
if [ ! -s "$job/code" ]; then
  [ "$ended" = 124 ] && die "stopped after $seconds s"
  cat "$job/qemu" >&2; tail -n 20 "$job/console" >&2
  die "the machine ended before the command did (qemu: $ended)"
fi
exit "$(cat "$job/code")"
