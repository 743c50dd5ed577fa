/** `graph`: the topology as Mermaid (as `containerlab graph --mermaid`) or Graphviz text. */
import { isImpaired, type Impairment, type Topology } from '../topology/topology.js';

function impairmentText(impairment: Impairment): string {
  if (!isImpaired(impairment)) return '';
  const parts: string[] = [];
  if (impairment.delayMs > 0) parts.push(`${impairment.delayMs} ms`);
  if (impairment.jitterMs > 0) parts.push(`± ${impairment.jitterMs} ms`);
  if (impairment.lossPercent > 0) parts.push(`${impairment.lossPercent} % loss`);
  if (impairment.rateBps > 0) parts.push(`${impairment.rateBps / 1e6} Mbit/s`);
  return parts.join(', ');
}

export function mermaid(topology: Topology): string {
  const identifiers = new Map([...topology.nodes.keys()].map((name, i) => [name, `n${i}`]));
  const lines = ['---', `title: ${topology.name}`, '---', 'graph LR'];
  for (const node of topology.nodes.values()) {
    lines.push(`  ${identifiers.get(node.name)!}["${node.name}${node.image === '' ? '' : `<br/>${node.image}`}"]`);
  }
  for (const { endpoints, impairment } of topology.links) {
    const [a, b] = endpoints;
    const text = [`${a.interface} - ${b.interface}`, impairmentText(impairment)].filter((part) => part !== '').join('<br/>');
    lines.push(`  ${identifiers.get(a.node)!} ---|"${text}"| ${identifiers.get(b.node)!}`);
  }
  return `${lines.join('\n')}\n`;
}

export function dot(topology: Topology): string {
  const lines = [`graph ${JSON.stringify(topology.name)} {`, '  node [shape=box];'];
  for (const node of topology.nodes.values()) {
    lines.push(`  ${JSON.stringify(node.name)} [label=${JSON.stringify(node.image === '' ? node.name : `${node.name}\n${node.image}`)}];`);
  }
  for (const { endpoints, impairment } of topology.links) {
    const [a, b] = endpoints;
    const attributes = { taillabel: a.interface, headlabel: b.interface, label: impairmentText(impairment) };
    const text = Object.entries(attributes).filter(([, value]) => value !== '').map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    lines.push(`  ${JSON.stringify(a.node)} -- ${JSON.stringify(b.node)} [${text.join(', ')}];`);
  }
  return `${lines.join('\n')}\n}\n`;
}
