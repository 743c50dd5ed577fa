/** LSAs for people: names of types, and what a body says, one line each. Pure. */
import { BEHAVIOUR_NAMES } from '../behaviours.js';
import { formatId } from './ids.js';
import { type EndXSid, type LsaBody, type LsaPrefix, LsType, type RouterLink } from './wire/types.js';

export const LSA_NAMES: Readonly<Record<number, string>> = {
  [LsType.router]: 'router',
  [LsType.network]: 'network',
  [LsType.interAreaPrefix]: 'inter-area-prefix',
  [LsType.interAreaRouter]: 'inter-area-router',
  [LsType.asExternal]: 'as-external',
  [LsType.nssa]: 'nssa',
  [LsType.link]: 'link',
  [LsType.intraAreaPrefix]: 'intra-area-prefix',
  [LsType.intraAreaTe]: 'intra-area-te',
  [LsType.grace]: 'grace',
  [LsType.routerInformation]: 'router-information',
  [LsType.extendedRouter]: 'e-router',
  [LsType.srv6Locator]: 'srv6-locator',
};

const hex = (value: number): string => `0x${value.toString(16)}`;

export const lsaTypeName = (type: number, cpnLsType: number): string => (type === cpnLsType ? 'cpn' : (LSA_NAMES[type] ?? hex(type)));

/** The type that a name or number stands for; undefined: none. */
export function lsaTypeOf(text: string, cpnLsType: number): number | undefined {
  if (text === 'cpn') return cpnLsType;
  const named = Object.entries(LSA_NAMES).find(([, name]) => name === text);
  if (named) return Number(named[0]);
  const number = Number(text);
  return /^(0x[0-9a-f]{1,4}|\d{1,5})$/i.test(text) && number <= 0xffff ? number : undefined;
}

const bit = (name: string, set: boolean): string[] => (set ? [name] : []);
const LINKS: Readonly<Record<RouterLink['type'], string>> = { 1: 'point-to-point to', 2: 'network of', 4: 'virtual link to' };
const behaviour = (code: number): string => BEHAVIOUR_NAMES[code] ?? hex(code);
const linkText = ({ type, interfaceId, neighborInterfaceId, neighborRouterId, metric }: RouterLink): string =>
  `interface ${interfaceId}: ${LINKS[type]} ${formatId(neighborRouterId)} interface ${neighborInterfaceId}, cost ${metric}`;
const endXText = ({ sid, behaviour: code, neighborRouterId }: EndXSid): string => `  ${behaviour(code)} ${sid}${neighborRouterId === undefined ? '' : ` to ${formatId(neighborRouterId)}`}`;
const prefixText = ({ prefix, metric, options }: LsaPrefix): string => `${prefix.toString()} cost ${metric}${options === 0 ? '' : ` options ${hex(options)}`}`;
const mbit = (octets: number | undefined): string => (octets === undefined ? '?' : `${Number(((octets * 8) / 1e6).toPrecision(4))} Mbit/s`);

export function lsaContent(body: LsaBody): string[] {
  switch (body.kind) {
    case 'router':
    case 'extendedRouter': {
      const flags = [...bit('ABR', body.flags.b), ...bit('ASBR', body.flags.e), ...bit('virtual link', body.flags.v), ...bit('NSSA translator', body.flags.nt)];
      const links = body.kind === 'router' ? body.links.map(linkText) : body.links.flatMap((link) => [linkText(link), ...link.endX.map(endXText)]);
      return [...(flags.length > 0 ? [`flags ${flags.join(', ')}`] : []), `options ${hex(body.options)}`, ...links];
    }
    case 'network':
      return [`options ${hex(body.options)}`, ...body.routers.map((router) => `attached ${formatId(router)}`)];
    case 'interAreaPrefix':
      return [prefixText(body)];
    case 'interAreaRouter':
      return [`router ${formatId(body.destination)} cost ${body.metric}`];
    case 'asExternal':
    case 'nssa':
      return [`${prefixText(body)} type ${body.type2 ? 2 : 1}${body.forwarding === undefined ? '' : ` by ${body.forwarding}`}${body.tag === undefined ? '' : ` tag ${body.tag}`}`];
    case 'link':
      return [`priority ${body.priority}, options ${hex(body.options)}, ${body.linkLocal}`, ...body.prefixes.map(prefixText)];
    case 'intraAreaPrefix':
      return [`of ${LSA_NAMES[body.referenced.type] ?? hex(body.referenced.type)} ${body.referenced.id} of ${formatId(body.referenced.router)}`, ...body.prefixes.map(prefixText)];
    case 'intraAreaTe':
      return [...(body.routerAddress === undefined ? [] : [`router address ${body.routerAddress}`]), ...(body.link ? teText(body.link) : [])];
    case 'grace':
      return [`grace period ${body.periodSeconds}s, reason ${body.reason}`];
    case 'routerInformation':
      return [
        ...(body.informational === undefined ? [] : [`capabilities ${hex(body.informational)}`]),
        ...(body.srv6 ? [`SRv6, flags ${hex(body.srv6.flags)}`] : []),
        `algorithms ${body.algorithms.join(', ')}`,
      ];
    case 'srv6Locator':
      return body.locators.flatMap(({ prefix, algorithm, metric, endSids }) => [
        `${prefix.toString()} algorithm ${algorithm} cost ${metric}`,
        ...endSids.map(({ sid, behaviour: code }) => `  ${behaviour(code)} ${sid}`),
      ]);
    case 'cpn':
      return cpnText(body.block);
    case 'unknown':
      return [];
    case 'malformed':
      return [`malformed: ${body.reason}`];
  }
}

function teText(link: NonNullable<Extract<LsaBody, { kind: 'intraAreaTe' }>['link']>): string[] {
  const { neighbor, delay, delayVariationUs, loss } = link;
  const measured = [
    ...(delay ? [`delay ${delay.us}us`] : []),
    ...(delayVariationUs === undefined ? [] : [`variation ${delayVariationUs}us`]),
    ...(loss ? [`loss ${Number((loss.value * 0.000003).toPrecision(3))}%`] : []),
  ];
  return [
    `${link.linkType === 1 ? 'point-to-point' : 'multi-access'}${neighbor ? ` to ${formatId(neighbor.routerId)} interface ${neighbor.interfaceId}` : ''}`,
    ...(measured.length > 0 ? [measured.join(', ')] : []),
    ...(link.maximumBandwidth === undefined && link.utilizedBandwidth === undefined ? [] : [`bandwidth ${mbit(link.maximumBandwidth)}, available ${mbit(link.availableBandwidth)}, used ${mbit(link.utilizedBandwidth)}`]),
  ];
}

function cpnText(block: Extract<LsaBody, { kind: 'cpn' }>['block']): string[] {
  if (block.kind === 'foreign') return ['a block of another magic or version'];
  if (block.kind === 'framingFault') return [`framing fault: ${block.reason}`];
  const { service, origin, instances } = block.block;
  return [
    `service ${service?.toString() ?? 'none'}`,
    ...(origin ? [`exit ${origin.exit}, sequence ${origin.sequence}, validity ${origin.validity}s`] : ['no origin']),
    ...instances.map(({ id, aggregate, draining, sid, load, serviceDelay }) =>
      [
        `instance ${id}`,
        sid?.sid,
        aggregate ? 'aggregate' : '',
        draining ? 'draining' : '',
        load && `utilisation ${load.utilisation / 100}%, queue ${load.queueLength}`,
        serviceDelay && `delay ${serviceDelay.meanUs}us`,
      ]
        .filter(Boolean)
        .join(', '),
    ),
  ];
}
