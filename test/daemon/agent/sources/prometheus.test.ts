import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseField, type Field } from '../../../../daemon/agent/fields.js';
import { PrometheusSource } from '../../../../daemon/agent/sources/prometheus.js';
import { ScrapeSource } from '../../../../daemon/agent/sources/scrape.js';

const folder = mkdtempSync(join(tmpdir(), 'agent-prometheus-'));
const children: ChildProcess[] = [];
const field = (name: string): Field => parseField(name)!;

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '::1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function run(command: string, ...argv: string[]): void {
  children.push(spawn(command, argv, { stdio: 'ignore' }));
}

/** Tries until it works; the bound is for machines that others use too. */
async function until<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + 30_000;
  for (;;) {
    const found = await attempt().catch(() => undefined);
    if (found !== undefined) return found;
    assert.ok(performance.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const installed = ['prometheus', 'prometheus-node-exporter'].every((name) => spawnSync('which', [name]).status === 0);

describe('a real Prometheus and node_exporter', { skip: installed ? false : 'prometheus and prometheus-node-exporter are not installed' }, () => {
  let exporter = '';
  let server = '';

  before(async () => {
    const [exporterPort, serverPort] = [await freePort(), await freePort()];
    exporter = `http://[::1]:${exporterPort}/metrics`;
    server = `http://[::1]:${serverPort}`;
    writeFileSync(join(folder, 'prometheus.yml'), `global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs: [{job_name: node, static_configs: [{targets: ["[::1]:${exporterPort}"]}]}]\n`);
    run('prometheus-node-exporter', `--web.listen-address=[::1]:${exporterPort}`, '--collector.disable-defaults', '--collector.meminfo', '--collector.cpu', '--collector.loadavg');
    run('prometheus', `--config.file=${join(folder, 'prometheus.yml')}`, `--web.listen-address=[::1]:${serverPort}`, `--storage.tsdb.path=${join(folder, 'data')}`);
  });

  after(async () => {
    await Promise.all(
      children.map((child) => new Promise((resolve) => {
        if (child.exitCode !== null) { resolve(undefined); return; }
        child.once('close', resolve);
        child.kill('SIGKILL');
      })),
    );
    rmSync(folder, { recursive: true });
  });

  it('are scraped: memory of this machine as /proc has it', async () => {
    const source = new ScrapeSource(
      exporter,
      [
        { field: field('memory.total'), metric: 'node_memory_MemTotal_bytes', labels: {}, scale: 1 },
        { field: field('memory.free'), metric: 'node_memory_MemAvailable_bytes', labels: {}, scale: 1 },
      ],
      2000,
    );
    const { memory } = await until('node_exporter answers', () => source.read());
    assert.ok(memory!.total! > 1e8 && memory!.free! > 0 && memory!.free! < memory!.total!);
  });

  it('are queried: instant queries become fields', async () => {
    const source = new PrometheusSource(
      server,
      [
        { field: field('memory.total'), query: 'node_memory_MemTotal_bytes' },
        { field: field('cpu.utilisation'), query: 'clamp(1 - sum(rate(node_cpu_seconds_total{mode=~"idle|iowait"}[2s])) / count(count by (cpu) (node_cpu_seconds_total)), 0, 1)' },
        { field: field('service.2001:db8::1.queueLength'), query: 'scalar(vector(12))' },
      ],
      2000,
    );
    const sample = await until('Prometheus has scraped', async () => {
      const read = await source.read();
      return read.utilisation!.has('cpu') && read.memory!.total !== undefined ? read : undefined;
    });
    assert.ok(sample.memory!.total! > 1e8);
    assert.ok(sample.utilisation!.get('cpu')! >= 0 && sample.utilisation!.get('cpu')! <= 1);
    assert.equal(sample.services!.get('2001:db8::1')!.queueLength, 12);
  });

  it('say why a query makes no sense', async () => {
    const source = new PrometheusSource(server, [{ field: field('memory.free'), query: 'sum(' }], 2000);
    await assert.rejects(source.read(), /HTTP status 400|parse error/);
  });
});
