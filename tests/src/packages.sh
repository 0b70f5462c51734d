# Sourced by tests/run and tests/lab: the Debian packages they stand on.

# packages_install PACKAGE... - installs those that are missing; no service of theirs is started.
packages_install() {
  local package missing=() policy=/usr/sbin/policy-rc.d ours= status=0
  command -v dpkg-query >/dev/null || { echo "this is not a Debian system: install $* or their like by hand" >&2; return 0; }
  for package; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # Debian starts a service as soon as it is installed, unless this program forbids it.
  if [ ! -e "$policy" ]; then
    ours=1
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
  fi
  apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null; } || status=$?
  [ -z "$ours" ] || rm -f "$policy"
  [ $status = 0 ] || echo "apt-get could not install ${missing[*]}" >&2
  return $status
}

# What the namespaces need, and what builds.
LAB_PACKAGES="iproute2 ipvsadm nftables keepalived nginx-light dnsmasq-base python3-aiosmtpd socat openssl kmod gcc libc6-dev ca-certificates"
# What the virtual machine needs.
VM_PACKAGES="qemu-system-x86 busybox-static cpio kmod"
