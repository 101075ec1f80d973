#!/usr/bin/env bash
# Install the browser, a Chinese font, the database server and the balancer that tests drive, where apt may; `java`: what Spark runs on.
# Where it may not, the tests that need them skip and say so.
set -u
missing=()
if [ "${1:-}" = java ]; then
  command -v java >/dev/null || [ -n "${JAVA_HOME:-}" ] || missing+=(openjdk-17-jre-headless)
else
  # The headless one draws the same with half the work.
  command -v chromium-headless-shell >/dev/null || missing+=(chromium-headless-shell)
  command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
  ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || missing+=(faketime)
  PATH="$PATH:/usr/local/sbin:/usr/sbin" command -v haproxy >/dev/null || missing+=(haproxy)
  fc-list :lang=zh 2>/dev/null | grep -q . || missing+=(fonts-wqy-microhei fontconfig)
fi
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Not installed: ${missing[*]}; what needs them is skipped, or uses chromium in its place."
  exit 0
fi
echo "Installing ${missing[*]} …"
export DEBIAN_FRONTEND=noninteractive
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/tmp/loupan-apt.log 2>&1 ||
  echo "apt could not install ${missing[*]} (see /tmp/loupan-apt.log); the tests that need them will be skipped."
exit 0
