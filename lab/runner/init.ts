/**
 * The first process of a node: a shell in mount, network, PID, UTS and IPC namespaces of its own, which builds the node's file system,
 * says so, waits for a word from the runner (and ends with it, should the runner die first), then does nothing but reap orphans.
 * Its end takes every other process, mount and interface of the node with it.
 *
 * The file system is an overlay over the host's root with its upper layer on a tmpfs: programs and libraries are the host's, whatever a node
 * writes stays in the node. /run, /tmp, /dev and /proc are the node's own; of /proc/sys only net can be written, for all else there is the host's.
 */
import { spawn } from 'node:child_process';
import { openSync, closeSync, readFileSync, realpathSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { TopologyNode } from '../topology/topology.js';
import { processRef, type ProcessRef } from './processes.js';
import { LabError, type LabState } from './state.js';

/** Arguments: node folder, hostname, N real mounts..., `--`, then triples source, target, ro|rw. */
const script = String.raw`
set -eu
umask 022
read -r pid rest < /proc/self/stat
fs=$1/fs hostname=$2
shift 2
mount -t tmpfs -o mode=755 cpn-lab "$fs"
mkdir "$fs/upper" "$fs/work" "$fs/root"
mount -t overlay -o "lowerdir=/,upperdir=$fs/upper,workdir=$fs/work" cpn-lab "$fs/root"
cd "$fs/root"

mount -t tmpfs -o mode=755 cpn-lab run
mount -t tmpfs -o mode=1777 cpn-lab tmp
mkdir -p run/lock run/host
while [ "$1" != -- ]; do
  mkdir -p "./$1"
  mount --bind "$1" "./$1"
  mount -o remount,bind,ro "./$1"
  shift
done
shift

mount -t tmpfs -o mode=755 cpn-lab dev
mkdir dev/net dev/pts dev/shm
for device in null zero full random urandom tty net/tun; do
  [ -e "/dev/$device" ] || continue
  : > "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 cpn-lab dev/pts
mount -t tmpfs -o mode=1777 cpn-lab dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr

mount -t proc -o nosuid,nodev,noexec cpn-lab proc
printf %s "$hostname" > proc/sys/kernel/hostname
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,rw proc/sys/net
mount -t sysfs -o nosuid,nodev,noexec cpn-lab sys
mount -t bpf cpn-lab sys/fs/bpf 2>/dev/null || :

pivot_root . run/host
cd /
printf '%s\n' "$hostname" > /etc/hostname
# Without name servers a look-up fails at once instead of waiting for answers that no link leads to.
rm -f /etc/resolv.conf
: > /etc/resolv.conf
printf '127.0.0.1 localhost %s\n::1 localhost %s\n' "$hostname" "$hostname" > /etc/hosts
while [ $# -gt 0 ]; do
  if [ -d "/run/host$1" ]; then
    mkdir -p "$2"
  else
    mkdir -p "$(dirname "$2")"
    [ -e "$2" ] || : > "$2"
  fi
  mount --bind "/run/host$1" "$2"
  [ "$3" = rw ] || mount -o remount,bind,ro "$2"
  shift 3
done
umount -l /run/host
rmdir /run/host
ip link set lo up

echo "ready $pid"
read -r go
exec < /dev/null > /dev/null 2>&1
set +e
while :; do
  sleep 2147483647 &
  wait $!
done
`;

/** File systems with data of their own; the others are kernel interfaces or memory that a node must not share. */
const realFileSystems: ReadonlySet<string> = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'zfs', 'f2fs', 'overlay', 'squashfs', 'erofs', 'fuse', 'virtiofs', '9p', 'nfs', 'nfs4']);

/** Host mounts below / that the overlay does not show, and the folders that must be seen in any case, parents first. */
function visibleMounts(folders: readonly string[]): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const fields = line.split(' ');
      const separator = fields.indexOf('-');
      const point = fields[4];
      const type = fields[separator + 1];
      if (point === undefined || point === '/' || point.includes('\\') || !realFileSystems.has(type ?? '')) return [];
      return /^\/(proc|sys|dev|run|tmp|etc)(\/|$)/.test(point) ? [] : [point];
    });
  return [...new Set([...mounts, ...folders.map((folder) => realpathSync(folder))])].sort();
}

/**
 * Starts a node's init process and returns it once the node's file system stands and the state knows it.
 * @param checkout folder of this program, seen read-only in the node at the same path
 */
export async function startInit(state: LabState, node: TopologyNode, checkout: string): Promise<ProcessRef> {
  state.createNode(node.name);
  const log = openSync(state.logFile(node.name, 'init'), 'a');
  const binds = node.binds.flatMap((bind) => [realpathSync(bind.source), bind.target, bind.readOnly ? 'ro' : 'rw']);
  const child = spawn(
    'unshare',
    ['--mount', '--net', '--pid', '--uts', '--ipc', '--fork', 'sh', '-c', script, 'cpn-lab-init', state.nodeDirectory(node.name), node.hostname, ...visibleMounts([checkout]), '--', ...binds],
    { detached: true, stdio: ['pipe', 'pipe', log], env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' }, cwd: '/' },
  );
  closeSync(log);
  const stdin = child.stdin!;
  const stdout = child.stdout!;
  const pid = await new Promise<number>((resolve, reject) => {
    createInterface({ input: stdout }).on('line', (line) => {
      if (line.startsWith('ready ')) resolve(Number(line.slice(6)));
    });
    child.once('error', reject);
    child.once('exit', () => reject(new LabError(`node ${node.name}: its namespaces could not be made: ${readFileSync(state.logFile(node.name, 'init'), 'utf8').trim()}`)));
  }).finally(() => child.removeAllListeners('exit'));
  const init = processRef(pid);
  if (!init) throw new LabError(`node ${node.name}: its init process ended`);
  state.writeInit(node.name, init);
  stdin.end('go\n');
  stdout.destroy();
  child.unref();
  return init;
}
