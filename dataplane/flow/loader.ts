/** Loads the BPF object: pinned maps of an earlier run are used again, programs are ready to attach. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { native, type NativeError } from '../native/index.js';
import { LAYOUT_VERSION } from './layout.js';
import { KernelMap, type BpfMaps } from './maps.js';

/** LRU hashes evict before they are full when filled from one CPU: this much larger than the flows wanted. */
const LRU_MARGIN = 1.3;

export interface LoadedBpf {
  readonly maps: BpfMaps;
  /** Descriptors: for interfaces whose packets start with an Ethernet header, and with the IPv6 header. */
  readonly ethernetProgram: number;
  readonly rawProgram: number;
  /** Pinned maps of another size or shape that had to go, by name. */
  readonly replaced: readonly string[];
  /** Closes all descriptors; what is pinned or attached stays. */
  close(): void;
}

export interface BpfSizes {
  readonly maxFlows: number;
  readonly maxNewFlows: number;
}

/** Beside this file in the sources; compiled files mirror the sources under dist/. */
function objectPath(): string {
  const beside = fileURLToPath(new URL('../bpf/cpn.bpf.o', import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../../dataplane/bpf/cpn.bpf.o', import.meta.url));
}

const pinDirectory = (bpffs: string): string => `${bpffs}/v${LAYOUT_VERSION}`;

/** Mounts a bpffs at `bpffs` unless there is one, and loads. Throws an Error that says what the kernel lacks. */
export function loadBpf(bpffs: string, sizes: BpfSizes): LoadedBpf {
  let loaded: ReturnType<typeof native.bpfLoad>;
  try {
    native.mountBpffs(bpffs);
    mkdirSync(pinDirectory(bpffs), { recursive: true, mode: 0o700 });
    loaded = native.bpfLoad(objectPath(), pinDirectory(bpffs), {
      flows: Math.ceil(sizes.maxFlows * LRU_MARGIN),
      new_flows: Math.ceil(sizes.maxNewFlows * LRU_MARGIN),
    });
  } catch (error) {
    throw explain(error as NativeError, bpffs);
  }
  const map = (name: string): KernelMap => new KernelMap(loaded.maps[name]!);
  return {
    maps: {
      interfaces: map('interfaces'),
      destinations: map('destinations'),
      domainSources: map('domain_sources'),
      flows: map('flows'),
      newFlows: map('new_flows'),
      fragments: map('fragments'),
      policies: map('policies'),
      slots: map('slots'),
      owners: map('owners'),
      puntLimits: map('punt_limits'),
      stats: map('stats'),
    },
    ethernetProgram: loaded.programs['cpn_ethernet']!,
    rawProgram: loaded.programs['cpn_raw']!,
    replaced: loaded.replaced,
    close: () => {
      for (const fd of [...Object.values(loaded.maps), ...Object.values(loaded.programs)]) native.close(fd);
    },
  };
}

/** Unpins every map: they go when the last program that uses them is detached. */
export function unpinBpf(bpffs: string): void {
  rmSync(pinDirectory(bpffs), { recursive: true, force: true });
}

function explain(error: NativeError, bpffs: string): Error {
  const reason = !existsSync(objectPath())
    ? `${objectPath()} is missing (\`npm run build -- --bpf\` makes it)`
    : error.code === 'ENOSYS' || error.code === 'ENODEV'
      ? 'this kernel has no BPF (CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF, bpffs are needed)'
      : error.code === 'EPERM' || error.code === 'EACCES'
        ? 'no permission for BPF (root, or CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN, is needed; a locked-down kernel refuses too)'
        : 'the BPF program could not be loaded (Linux 5.11 or later is needed)';
  return new Error(`dataplane: ${reason}; pins under ${bpffs}: ${error.message}`, { cause: error });
}
