/**
 * The N-API addon: system calls that Node does not offer, and libbpf. Everything that has a format is encoded and decoded in
 * TypeScript by the callers; this layer only moves octets. File descriptors are plain numbers.
 *
 * A failing call throws `NativeError`. Non-blocking calls return -1 (or a count of 0) where the kernel says EAGAIN.
 */
import { createRequire } from 'node:module';

export interface NativeError extends Error {
  /** Positive errno. */
  readonly errno: number;
  /** Symbolic errno, such as ENOENT. */
  readonly code: string;
  readonly syscall: string;
}

/** A file descriptor watched by the event loop. */
export interface PollHandle {
  /** Changes the watched events (1 readable, 2 writable, 3 both, 0 none). */
  update(events: number): void;
  ref(): void;
  unref(): void;
  /** Stops watching; the descriptor stays open. Safe to call twice. */
  close(): void;
}

export interface Native {
  // Sockets (socket.c). All descriptors are created non-blocking and close-on-exec.
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): void;
  /** A stream's connection may still be under way on return: it is there, or has failed (SO_ERROR), when the descriptor is writable. */
  connect(fd: number, address: Uint8Array): void;
  listen(fd: number, backlog: number): void;
  /** The next connection that waits at a listener, with the sockaddr of its other end; null on EAGAIN. Connections that failed while they waited are skipped. */
  accept(fd: number): { readonly fd: number; readonly address: Uint8Array } | null;
  getsockname(fd: number): Uint8Array;
  close(fd: number): void;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array | number): void;
  getsockopt(fd: number, level: number, option: number, length: number): Uint8Array;
  /** Sends one datagram; returns octets sent or -1 on EAGAIN. `control` is a raw cmsg buffer. */
  sendmsg(fd: number, data: Uint8Array, address: Uint8Array | null, control: Uint8Array | null): number;
  /**
   * Receives up to `lengths.length` datagrams (recvmmsg) into `arena` cut into strides of equal size; writes each length, and, where
   * given, each sender (stride of `names.length / lengths.length`) and control data likewise (`controlLengths` gets its length). A truncated
   * datagram's length is the real length (MSG_TRUNC), so it exceeds the stride. Returns the count (at most 1,024), 0 on EAGAIN. Not for stream
   * sockets, where MSG_TRUNC discards.
   */
  recvBatch(fd: number, arena: Uint8Array, lengths: Int32Array, names: Uint8Array | null, control: Uint8Array | null, controlLengths: Int32Array | null): number;
  /** Control data of the next message of the error queue (transmit timestamps, errors); its length, or -1 when the queue is empty. */
  recvError(fd: number, control: Uint8Array): number;
  /** Sends `count` datagrams (sendmmsg), the i-th at `offsets[i]` of `lengths[i]` octets; connected or bound socket. Returns how many the kernel took. */
  sendBatch(fd: number, arena: Uint8Array, offsets: Int32Array, lengths: Int32Array, count: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  ifNameToIndex(name: string): number;
  ifIndexToName(index: number): string;

  // TUN and plain descriptors (system.c)
  /** Opens /dev/net/tun as `name` (IFF_TUN | IFF_NO_PI), persistent when asked (and made not persistent when not); non-blocking. */
  openTun(name: string, persistent: boolean): number;
  /** One read(2) a packet until EAGAIN or `lengths` is full; packet i starts at i * stride of `arena`. Returns the count. */
  readBatch(fd: number, arena: Uint8Array, lengths: Int32Array): number;
  /** One write(2) a packet. Returns how many were written before EAGAIN or the end; a packet the kernel refuses (EINVAL ...) is added to `errors[0]` and skipped. */
  writeBatch(fd: number, arena: Uint8Array, offsets: Int32Array, lengths: Int32Array, count: number, errors: Int32Array): number;

  // Time (system.c)
  /** CLOCK_MONOTONIC in ns: the clock of bpf_ktime_get_ns. */
  monotonicNs(): bigint;
  /** CLOCK_REALTIME in ns. */
  realtimeNs(): bigint;
  /** A timerfd on CLOCK_MONOTONIC; arm it with timerfdSet, read it to acknowledge. */
  timerfdCreate(): number;
  /** Arms for an absolute CLOCK_MONOTONIC time in ns; 0 disarms. */
  timerfdSet(fd: number, deadlineNs: bigint): void;
  /** Acknowledges an expired timerfd. */
  timerfdRead(fd: number): void;

  /** Schedules the calling thread in real time, round robin, at a priority of 1 to 99 (SCHED_RR, sched(7)); what it starts is scheduled as ever. EPERM without CAP_SYS_NICE. */
  scheduleRealTime(priority: number): void;

  /** Speed of an interface in Mbit/s as its driver states it (ethtool); 0: it states none, or there is no such interface. */
  interfaceSpeed(name: string): number;

  // Namespaces (system.c): for tools that hold descriptors of several network namespaces in one process.
  /**
   * Runs `body` on this thread inside the network namespace at `path` (/proc/PID/ns/net); sockets made inside stay there. `body` must be
   * synchronous (a returned promise throws). The process aborts when it cannot return to its own namespace.
   */
  inNetworkNamespace<T>(path: string, body: () => T): T;

  // Event loop (poll.c)
  /**
   * Calls `callback(status, events)` when ready: status < 0 is a negated errno. A queued socket error counts as ready: the next read or
   * write throws it. Keeps the loop alive until closed or unref'd. Close it before the descriptor.
   */
  poll(fd: number, events: number, callback: (status: number, events: number) => void): PollHandle;

  // Micro-benchmarks (benchmark.c)
  /**
   * Runs a kernel (0 integer, branch and memory operations; 1 single-precision vectors; 2 product of single-precision matrices) on `threads` threads for `slices`
   * times `sliceUs`, at most a second in all. Resolves with operations, wall ns and processor ns of every slice of the first thread, then of the next; a slice
   * that a thread never came to is zeros.
   */
  benchmark(kernel: number, threads: number, slices: number, sliceUs: number): Promise<Float64Array>;

  // BPF (bpf.c), through libbpf
  /** Loads an object file. Maps with LIBBPF_PIN_BY_NAME are pinned under `pinPath` and reused when compatible. Throws with the libbpf/verifier log in the message.
   * `replaced` names the pinned maps that had another shape: they were unpinned, and what was in them is gone. */
  bpfLoad(objectPath: string, pinPath: string, maxEntries: Readonly<Record<string, number>>): { maps: Record<string, number>; programs: Record<string, number>; replaced: string[] };
  /** A pinned object's descriptor, or -1 when nothing is pinned there. */
  bpfObjectGet(path: string): number;
  bpfObjectPin(fd: number, path: string): void;
  bpfMapInfo(fd: number): { type: number; keySize: number; valueSize: number; maxEntries: number; id: number };
  /** Flags: 0 any, 1 BPF_NOEXIST, 2 BPF_EXIST. Returns false where the flag forbids it. */
  bpfMapUpdate(fd: number, key: Uint8Array, value: Uint8Array, flags: number): boolean;
  /** Updates `count` entries at once (BPF_MAP_UPDATE_BATCH); returns how many were done. */
  bpfMapUpdateBatch(fd: number, keys: Uint8Array, values: Uint8Array, count: number, flags: number): number;
  /** Copies the value into `value`; false when the key is absent. Per-CPU maps: value for all possible CPUs, 8-octet rounded. */
  bpfMapLookup(fd: number, key: Uint8Array, value: Uint8Array): boolean;
  bpfMapDelete(fd: number, key: Uint8Array): boolean;
  bpfMapDeleteBatch(fd: number, keys: Uint8Array, count: number): number;
  /**
   * Reads a batch; `cursor` (of at least keySize octets and 4) holds the position between calls, `first` starts from the beginning. Returns the count; `done` when the end was reached.
   */
  bpfMapLookupBatch(fd: number, cursor: Uint8Array, first: boolean, keys: Uint8Array, values: Uint8Array, count: number): { count: number; done: boolean };
  /** Number of possible CPUs, as per-CPU maps count them. */
  bpfPossibleCpus(): number;
  /** Attaches a classifier (direct action) to clsact of an interface, replacing handle 1 priority `priority`; makes the clsact qdisc when missing. */
  tcAttach(ifindex: number, direction: 'ingress' | 'egress', programFd: number, priority: number): void;
  /** Detaches it; false when there was none. */
  tcDetach(ifindex: number, direction: 'ingress' | 'egress', priority: number): boolean;
  /** Id of the attached program, or 0. */
  tcQuery(ifindex: number, direction: 'ingress' | 'egress', priority: number): number;
  /** mount(2) of a bpffs at `path` unless one is there. */
  mountBpffs(path: string): void;
}

/** From dist/dataplane/native/index.js the addon lies beside the compiled file. */
export const native = createRequire(import.meta.url)('./cpn.node') as Native;
