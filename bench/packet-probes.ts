/** Probes of single packets for the benches: round-trip times of echoes, and the order in which the packets of a burst arrive. */
import { median } from '../test/lab/flow-traffic.js';
import { SERVICE, type FlowChain, type Router } from '../test/lab/flow-chain.js';

/** Round-trip times in microseconds. */
export interface EchoTimes {
  readonly samples: number;
  readonly median: number;
  readonly p99: number;
}

/** Echo requests one after the other, each with a new identifier or all with one; prints the times in ns. */
const ECHO = `
import socket, struct, sys, time
samples, fresh, destination = int(sys.argv[1]), sys.argv[2] == 'new', sys.argv[3]
link = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
link.settimeout(1)
link.connect((destination, 0))
for i in range(samples):
    identifier = 1000 + (i % 60000 if fresh else 60500)
    start = time.monotonic_ns()
    link.send(struct.pack('!BBHHH', 128, 0, 0, identifier, i & 0xffff) + bytes(8))
    try:
        while True:
            answer = link.recv(2048)
            if answer[0] == 129 and struct.unpack('!HH', answer[4:8]) == (identifier, i & 0xffff):
                print(time.monotonic_ns() - start)
                break
    except socket.timeout:
        print(-1)
`;

export async function echoTimes(chain: FlowChain, samples: number, mode: 'new' | 'pinned'): Promise<EchoTimes> {
  const child = chain.spawn('client', ['/usr/bin/python3', '-c', ECHO, String(samples), mode, SERVICE]);
  let text = '';
  for await (const chunk of child.stdout!) text += String(chunk);
  // The first ones warm up neighbours, caches and the compiler of the daemon; of the pinned ones two are not pinned yet.
  const times = text.trim().split('\n').slice(Math.floor(samples / 5)).map(Number);
  if (times.some((time) => time < 0)) throw new Error('an echo was lost');
  times.sort((a, b) => a - b);
  return { samples: times.length, median: median(times) / 1000, p99: times[Math.floor(times.length * 0.99)]! / 1000 };
}

export interface OrderReport {
  readonly flows: number;
  readonly packets: number;
  readonly lost: number;
  readonly duplicates: number;
  /** Packets that arrived after one sent later in their flow. */
  readonly outOfOrder: number;
}

/** Sends bursts of UDP packets, each burst from a port of its own, numbered. */
const BURST = `
import socket, struct, sys, time
flows, burst, destination = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
for flow in range(flows):
    link = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    link.connect((destination, 7001))
    for number in range(burst):
        link.send(struct.pack('!II', flow, number))
    link.close()
    time.sleep(0.001)
`;

/** Receives them until nothing comes any more; prints flow and number in the order of arrival. */
const COLLECT = `
import socket, struct, sys
link = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
link.bind((sys.argv[1], 7001))
print('ready', flush=True)
link.settimeout(10)
try:
    while True:
        print(*struct.unpack('!II', link.recv(64)))
        link.settimeout(1)
except socket.timeout:
    pass
`;

/** Sends `flows` bursts of `burst` packets back to back and looks at their order at the server. */
export async function watchOrder(chain: FlowChain, router: Router, flows: number, burst: number): Promise<OrderReport> {
  const collector = chain.spawn('server', ['/usr/bin/python3', '-c', COLLECT, SERVICE]);
  let text = '';
  const collected = (async (): Promise<void> => {
    for await (const chunk of collector.stdout!) text += String(chunk);
  })();
  while (!text.startsWith('ready')) await new Promise((resolve) => setTimeout(resolve, 10));
  await router.call({ op: 'clear' });
  chain.exec('client', '/usr/bin/python3', '-c', BURST, String(flows), String(burst), SERVICE);
  await collected;
  const highest = new Map<number, number>();
  const seen = new Set<string>();
  let duplicates = 0;
  let outOfOrder = 0;
  for (const line of text.trim().split('\n').slice(1)) {
    const [flow = 0, number = 0] = line.split(' ').map(Number);
    if (seen.has(line)) duplicates++;
    seen.add(line);
    const last = highest.get(flow) ?? -1;
    if (number < last) outOfOrder++;
    highest.set(flow, Math.max(last, number));
  }
  return { flows, packets: flows * burst, lost: flows * burst - seen.size, duplicates, outOfOrder };
}
