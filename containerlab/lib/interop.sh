# Checks that the BGP scenarios share: two exits announce one service through a stock speaker in the middle to the entry.
# `lab` is the lab command with the file filled in. A scenario sets `peer_name` (for the words) and `refresh` (a command of node rr
# that makes it ask exit1 for all routes again; empty where it cannot), may set `attribute_type`, sources this file, and calls the checks it holds for. Every check exits 1 with a reason.
set -euo pipefail
service=2001:db8:5e::1
# How the entry makes the peer send everything again: soft (route refresh) or session (a new one).
resend=${resend:-soft}
reflector=${reflector:-fc00:0:100::1}
exits=(fc00:0:11::1 fc00:0:12::1)

fail() { echo "FAILED: $*" >&2; exit 1; }

# within SECONDS COMMAND...: runs the command until it succeeds.
within() {
  local end=$((SECONDS + $1)); shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.2
  done
}

# query NODE EXPRESSION COMMAND...: a JavaScript expression over the JSON answer `x` of cpnctl in a node.
query() {
  local node=$1 expression=$2; shift 2
  lab exec "$node" cpnctl --json "$@" 2> /dev/null | node -e "
    const x = JSON.parse(require('fs').readFileSync(0, 'utf8'));
    const value = ($expression);
    console.log(typeof value === 'object' ? JSON.stringify(value) : value);" 2> /dev/null
}

candidates() { query entry "((x[0] || {}).candidates || []).filter((c) => c.feasible && !c.stale && c.peer === '$reflector').map((c) => c.exit).sort().join(' ')" show computing rib "$service"; }
both() { [ "$(candidates)" = "${exits[*]}" ]; }
session() { query entry "x[0].state + ' ' + x[0].flaps" show bgp neighbors "$reflector"; }

check_session() { # check_session CAPABILITY...: the session is up and the peer offered these
  within 60 both || fail "the entry lacks candidates: $(lab exec entry cpnctl show computing rib)"
  local offered capability
  offered=$(query entry "x[0].capabilities.join('; ')" show bgp neighbors "$reflector")
  for capability in "$@"; do
    case $offered in *"$capability"*) ;; *) fail "$peer_name should offer $capability, it offers: $offered" ;; esac
  done
  echo "ok: both exits arrive through $peer_name, which offered: ${*:-nothing asked for}"
}

# watched NODE DIRECTION: values of the CPN attribute that pass in a node while everything is sent again, hexadecimal, newest per path.
watched() {
  (lab exec "$1" timeout 6 cpnctl --json monitor bgp --updates --neighbor "$reflector" --prefix "$service/128" || :) | node -e "
    const paths = new Map();
    for (const line of require('fs').readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
      const { direction, kind, pathId, cpn } = JSON.parse(line);
      if (direction === '$2' && kind === 'announce') paths.set(pathId, cpn);
    }
    console.log([...paths.values()].sort().join(' '));"
}

check_attribute() {
  local folder sent got
  folder=$(mktemp -d)
  watched exit1 sent > "$folder/exit1" & watched exit2 sent > "$folder/exit2" & watched entry received > "$folder/entry" &
  sleep 1
  for node in exit1 exit2; do lab exec "$node" cpnctl clear bgp "$reflector" soft > /dev/null; done
  if [ "$resend" = soft ]; then lab exec entry cpnctl clear bgp "$reflector" soft > /dev/null; else lab exec entry cpnctl clear bgp "$reflector" > /dev/null; fi
  wait
  sent=$(cat "$folder/exit1" "$folder/exit2" | sort | paste -sd' ')
  got=$(cat "$folder/entry")
  rm -r "$folder"
  within 20 both || fail 'candidates are lost after everything was sent again'
  [ -n "$sent" ] && [ "$sent" = "$got" ] || fail "the attribute changed on the way: sent $sent, got $got"
  echo "ok: the CPN attribute of both exits arrives octet for octet"
}

check_service() {
  reached() { lab exec client ping -n -c 1 -W 1 "$service" > /dev/null; }
  within 20 reached || fail 'the client does not reach the service'
  lab exec client ping -n -q -c 20 -i 0.05 "$service" > /dev/null || fail 'the service does not answer every time'
  echo 'ok: the client reaches the service'
}

check_withdraw() {
  lab exec exit1 cpnctl update 1 --health down > /dev/null
  only_second() { [ "$(candidates)" = "${exits[1]}" ]; }
  within 10 only_second || fail "exit1 should be withdrawn: $(lab exec entry cpnctl show computing rib)"
  lab exec client ping -n -q -c 5 -i 0.05 "$service" > /dev/null || fail 'the other exit does not serve'
  lab exec exit1 cpnctl update 1 --health auto > /dev/null
  within 10 both || fail 'exit1 should be back'
  echo 'ok: an exit withdraws and comes back'
}

updates() { query "$1" "x[0].$2" show bgp neighbors "$reflector"; }

check_refresh() {
  local before before_out
  before=$(updates entry updatesReceived)
  lab exec entry cpnctl clear bgp "$reflector" soft > /dev/null
  after_in() { [ "$(updates entry updatesReceived)" -gt "$before" ]; }
  if [ "$resend" = soft ]; then
    within 10 after_in || fail "$peer_name sends nothing when it is asked to refresh"
    echo "ok: $peer_name answers a route refresh"
  else
    # An UPDATE for another reason may come within that time: what is seen is said, and is no fault.
    if within 5 after_in; then echo "seen: an UPDATE after $peer_name was asked to refresh"; else echo "not supported by $peer_name: answering a route refresh"; fi
  fi
  if [ -z "$refresh" ]; then
    echo "not supported by $peer_name: asking for a route refresh"
    return
  fi
  before_out=$(updates exit1 updatesSent)
  lab exec rr sh -c "$refresh" > /dev/null
  after_out() { [ "$(updates exit1 updatesSent)" -gt "$before_out" ]; }
  within 10 after_out || fail "exit1 sends nothing when $peer_name asks for a refresh"
  within 10 both || fail 'candidates are lost after the refresh'
  echo "ok: $peer_name asks for a route refresh and gets it"
}

# Malformed attributes from another client of the reflector (node injector): they pass through it, or it refuses them; either way our session
# stays up, the broken route makes no candidate, and what comes after it is taken.
check_malformed() {
  local before
  before=$(session)
  lab exec injector python3 /opt/inject.py "${attribute_type:-255}" > /tmp/inject.$$ 2>&1 || fail "the injector failed: $(cat /tmp/inject.$$; rm -f /tmp/inject.$$)"
  rm -f /tmp/inject.$$
  marker() { [ "$(query entry "x.length" show bgp routes 2001:db8:77::/48)" = 1 ]; }
  within 15 marker || fail "the route after the malformed ones did not arrive: $(lab exec entry cpnctl show bgp routes)"
  [ "$(session)" = "$before" ] || fail "the session was $before, it is $(session)"
  [ "$(query entry "x.flatMap((s) => s.candidates).length" show computing rib 2001:db8:5e::66)" = 0 ] || fail 'a malformed CPN attribute made a candidate'
  both || fail 'candidates are lost after malformed input'
  echo 'ok: malformed attributes cost their routes alone'
}

check_restart() {
  lab fail rr
  gone() { [ "$(query entry "x[0].state" show bgp neighbors "$reflector")" != Established ]; }
  within 30 gone || fail 'the session should be down'
  lab restore rr
  within 60 both || fail "no candidates after the restart of $peer_name: $(lab exec entry cpnctl show bgp summary)"
  reached_again() { lab exec client ping -n -c 1 -W 1 "$service" > /dev/null; }
  within 20 reached_again || fail 'the service does not answer after the restart'
  echo "ok: $peer_name is killed and comes back, and so do the candidates"
}

check_doctor() {
  lab exec entry cpnctl doctor > /dev/null || fail "doctor finds faults: $(lab exec entry cpnctl doctor)"
  echo 'ok: cpnctl doctor finds nothing'
}
