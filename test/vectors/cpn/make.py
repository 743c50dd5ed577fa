#!/usr/bin/python3
"""Writes the CPN block and requirement option vectors of this folder, from the layouts in proto/WIRE.md alone.

It shares no code with the codec under test. Each NAME.hex has the octets with a comment a field, NAME.json what a reader must find.
Run it in this folder after a change of the wire format; the result is committed.
"""
import json
import struct
from ipaddress import IPv6Address


class Hex:
    """Octets with a comment for each line."""

    def __init__(self):
        self.lines = []

    def add(self, data, comment):
        self.lines.append((bytes(data), comment))
        return self

    def u8(self, value, comment):
        return self.add(struct.pack('>B', value), comment)

    def u16(self, value, comment):
        return self.add(struct.pack('>H', value), comment)

    def u32(self, value, comment):
        return self.add(struct.pack('>I', value), comment)

    def i32(self, value, comment):
        return self.add(struct.pack('>i', value), comment)

    def u64(self, value, comment):
        return self.add(struct.pack('>Q', value), comment)

    def ip(self, text, comment):
        return self.add(IPv6Address(text).packed, comment + ' ' + text)

    def join(self, other, indent='  '):
        self.lines += [(data, indent + comment) for data, comment in other.lines]
        return self

    def octets(self):
        return b''.join(data for data, _ in self.lines)


def tlv(number, name, value):
    length = len(value.octets())
    result = Hex().u16(number, f'type {number}: {name}').u16(length, f'length {length}').join(value)
    padding = -length % 4
    if padding:
        result.add(bytes(padding), f'{padding} octets of padding')
    return result


def block(*tlvs):
    result = Hex().add(b'CPN', 'magic').u8(1, 'version')
    for item in tlvs:
        result.join(item, '')
    return result


def origin(exit_router, sequence, at, validity):
    return tlv(2, 'Origin', Hex().ip(exit_router, 'exit router').u64(sequence, f'sequence {sequence}').u64(at, f'originated at {at} ms')
               .u32(validity, f'validity {validity} s'))


def service(prefix, length):
    return tlv(1, 'Service', Hex().u8(length, f'prefix length {length}').add(bytes(3), 'reserved').ip(prefix, 'prefix'))


def instance(number, flags, *subs):
    value = Hex().u32(number, f'instance ID {number}').u8(flags, f'flags {flags:#04x}').add(bytes(3), 'reserved')
    for sub in subs:
        value.join(sub, '')
    return tlv(3, 'Instance', value)


def sid(address, behaviour, structure):
    value = Hex().ip(address, 'SID').u16(behaviour, f'behaviour {behaviour:#06x}').u16(0, 'reserved')
    for name, bits in zip(('LBL', 'LNL', 'FunL', 'ArgL'), structure):
        value.u8(bits, f'{name} {bits}')
    return tlv(1, 'SRv6 SID', value)


def computing(klass, chip, total, residual):
    return tlv(2, 'Computing', Hex().u8(klass, f'class {klass}').u8(chip, f'chip {chip}').u16(0, 'reserved')
               .u64(total, f'total {total}').u64(residual, f'residual {residual}'))


def load(utilisation, queue, flows):
    return tlv(3, 'Load', Hex().u16(utilisation, f'utilisation {utilisation}').u16(0, 'reserved')
               .u32(queue, f'queue length {queue}').u32(flows, f'active flows {flows}'))


def cats(kind, level, form, source, statistic, unit, window, value):
    return tlv(11, 'CATS metric', Hex().u16(kind, f'type {kind}').u8(level << 4 | form, f'level {level}, format {form}')
               .u8(source, f'source {source}').u8(statistic, f'statistic {statistic}').u8(unit, f'unit {unit}').u16(0, 'reserved')
               .u32(window, f'window {window} ms').u64(value, f'value {value}'))


def write(name, title, data, expected):
    with open(f'{name}.hex', 'w') as out:
        out.write(f'# {title}\n')
        for octets, comment in data.lines:
            out.write(f'{octets.hex():<40} # {comment}\n' if octets else f'# {comment}\n')
    with open(f'{name}.json', 'w') as out:
        json.dump(expected, out, indent=2)
        out.write('\n')


BASE = {'exit': '2001:db8::1', 'sequence': '1700000000000', 'originatedAt': '1700000000123', 'validity': 0}
ORIGIN = origin('2001:db8::1', 1700000000000, 1700000000123, 0)
DX6 = sid('fcbb:bb00:1:d6::', 0x0010, (32, 16, 16, 0))
SID_JSON = {'sid': 'fcbb:bb00:1:d6::', 'behaviour': 16, 'structure': {'block': 32, 'node': 16, 'function': 16, 'argument': 0}}


def bare(number, **more):
    return {'id': number, 'aggregate': False, 'draining': False, 'sid': SID_JSON, 'computing': [], 'storage': [], 'algorithms': [], 'cats': [], **more}


write('minimal', 'What a BGP route needs to make a candidate', block(ORIGIN, instance(1, 0, DX6)),
      {'block': {'origin': BASE, 'instances': [bare(1)]}, 'events': 0})

write('full', 'Every TLV and sub-TLV, as an OSPFv3 body has them', block(
    service('2001:db8:cafe::1', 128),
    origin('2001:db8::ff', 2**64 - 1, 1700000000123, 3600),
    instance(
        7, 0x40, DX6,
        computing(1, 1, 2 * 10**12, 10**12), computing(2, 2, 3_090_000_000_000, 2**53 + 1), computing(3, 4, 2**64 - 1, 0),
        load(7525, 12, 100_000),
        tlv(4, 'Service delay', Hex().u32(1500, 'mean 1500 us').u32(9000, 'p99 9000 us').u32(0, 'service rate unknown')),
        tlv(5, 'Storage', Hex().u8(3, 'object').u8(3, 'NVMe').u16(0, 'reserved').u64(10**15, 'total').u64(10**14, 'residual')
            .u64(10**9, 'read rate').u64(10**8, 'write rate')),
        tlv(6, 'Interface', Hex().u64(100 * 10**9, 'capacity 100 Gbit/s').u64(25 * 10**9, 'available 25 Gbit/s')),
        tlv(7, 'Location', Hex().i32(399042000, 'latitude 39.9042').i32(-1164074000, 'longitude -116.4074')),
        tlv(8, 'Energy', Hex().u32(120_000, 'idle 120 W').u32(450_000, 'full 450 W')),
        tlv(9, 'Price', Hex().u64(2_500_000, 'micro-units').add(b'EUR', 'currency').u8(0, 'reserved')),
        tlv(10, 'Algorithms', Hex().u16(1, 'algorithm 1').u16(7, 'algorithm 7').u16(65535, 'algorithm 65535')),
        cats(1, 0, 0, 3, 2, 3, 1000, 3 * 10**12), cats(5, 2, 0, 4, 1, 0, 0, 8),
        tlv(12, 'Grade', Hex().u8(2, 'large').add(bytes(3), 'reserved')),
        tlv(13, 'Instance address', Hex().ip('2001:db8:0:6::80', 'CSCI-ID')),
    ),
    instance(8, 0x80, sid('fcbb:bb00:1:ffff::', 0xFFFF, (32, 16, 16, 0))),
), {
    'block': {
        'service': '2001:db8:cafe::1/128',
        'origin': {'exit': '2001:db8::ff', 'sequence': '18446744073709551615', 'originatedAt': '1700000000123', 'validity': 3600},
        'instances': [
            {
                'id': 7, 'aggregate': False, 'draining': True, 'sid': SID_JSON,
                'computing': [
                    {'class': 'logical', 'chip': 'cpu', 'total': '2000000000000', 'residual': '1000000000000'},
                    {'class': 'parallel', 'chip': 'gpu', 'total': '3090000000000', 'residual': '9007199254740993'},
                    {'class': 'neural', 'chip': 'npu', 'total': '18446744073709551615', 'residual': '0'},
                ],
                'load': {'utilisation': 7525, 'queueLength': 12, 'activeFlows': 100000},
                'serviceDelay': {'meanUs': 1500, 'p99Us': 9000, 'serviceRate': 0},
                'storage': [{'ability': 'object', 'quality': 'nvme', 'total': '1000000000000000', 'residual': '100000000000000',
                             'readRate': '1000000000', 'writeRate': '100000000'}],
                'interface': {'capacity': '100000000000', 'available': '25000000000'},
                'location': {'latitude': 39.9042, 'longitude': -116.4074},
                'energy': {'idleMw': 120000, 'fullMw': 450000},
                'price': {'microUnits': '2500000', 'currency': 'EUR'},
                'algorithms': [1, 7, 65535],
                'cats': [
                    {'type': 'computing', 'level': 0, 'format': 0, 'source': 'measured', 'statistic': 'mean', 'unit': 'operations/s',
                     'windowMs': 1000, 'value': '3000000000000'},
                    {'type': 'normalised', 'level': 2, 'format': 0, 'source': 'normalised', 'statistic': 'current', 'unit': 'none',
                     'windowMs': 0, 'value': '8'},
                ],
                'grade': 'large', 'address': '2001:db8:0:6::80',
            },
            {**bare(8), 'aggregate': True,
             'sid': {'sid': 'fcbb:bb00:1:ffff::', 'behaviour': 65535, 'structure': SID_JSON['structure']}},
        ],
    },
    'events': 0,
})

write('unknown', 'Unknown TLVs, sub-TLVs and codes, reserved bits and padding that are not zero: all of it stands', block(
    tlv(200, 'unknown, with padding', Hex().add(b'\x01\x02\x03\x04\x05', 'whatever')),
    service('2001:db8:cafe::', 48),
    Hex().u16(2, 'type 2: Origin').u16(36, 'length').join(Hex().ip('2001:db8::1', 'exit router').u64(1700000000000, 'sequence')
                                                           .u64(1700000000123, 'originated at').u32(0, 'validity')),
    Hex().u16(3, 'type 3: Instance').u16(68, 'length').join(
        Hex().u32(1, 'instance ID 1').u8(0x3f, 'unknown flags').add(b'\xff\xff\xff', 'reserved, not zero').join(DX6, '')
        .join(tlv(99, 'unknown sub-TLV', Hex().add(b'\xaa', 'whatever')), '').join(computing(2, 77, 5, 9), '')),
), {
    'block': {
        'service': '2001:db8:cafe::/48', 'origin': BASE,
        'instances': [bare(1, computing=[{'class': 'parallel', 'chip': '77', 'total': '5', 'residual': '9'}])],
    },
    'events': 0,
})

write('first-counts', 'Of repeated TLVs and sub-TLVs, and of Instances with one ID, the first counts', block(
    ORIGIN, origin('2001:db8::2', 5, 6, 7), service('2001:db8:cafe::ffff', 112), service('2001:db8:beef::', 48),
    instance(1, 0, DX6, sid('fcbb:bb00:2:d6::', 0x12, (32, 16, 16, 0)), computing(2, 2, 10, 5), computing(2, 2, 20, 6), computing(2, 1, 30, 7)),
    instance(1, 0x40, DX6),
), {
    'block': {
        'service': '2001:db8:cafe::/112', 'origin': BASE,
        'instances': [bare(1, computing=[{'class': 'parallel', 'chip': 'gpu', 'total': '10', 'residual': '5'},
                                         {'class': 'parallel', 'chip': 'cpu', 'total': '30', 'residual': '7'}])],
    },
    'events': 1,
})

write('impossible', 'Impossible values drop their Instance; the last one stands', block(
    ORIGIN,
    tlv(3, 'Instance, too short', Hex().u32(9, 'instance ID 9')),
    instance(2, 0, DX6, computing(4, 0, 1, 1)),
    instance(3, 0, DX6, load(10_001, 0, 0)),
    instance(4, 0, sid('fcbb:bb00:1:d6::', 0x10, (64, 32, 32, 1))),
    instance(5, 0, DX6, tlv(9, 'Price', Hex().u64(1, 'micro-units').add(b'E1R', 'no letters').u8(0, 'reserved'))),
    instance(6, 0, DX6, tlv(7, 'Location', Hex().i32(900000001, 'latitude past the pole').i32(0, 'longitude'))),
    instance(7, 0, DX6, tlv(12, 'Grade', Hex().u8(5, 'grade 5').add(bytes(3), 'reserved'))),
    instance(8, 0, DX6, cats(5, 2, 0, 4, 1, 0, 0, 11)),
    instance(10, 0, DX6, tlv(13, 'Instance address of 4 octets', Hex().u32(1, 'short'))),
    instance(11, 0, DX6, tlv(5, 'Storage', Hex().u8(0, 'ability 0').add(bytes(35), 'the rest'))),
    instance(12, 0, DX6, tlv(10, 'Algorithms, odd', Hex().add(b'\0\1\2', 'three octets'))),
    instance(13, 0, DX6, cats(5, 0, 0, 4, 1, 0, 0, 11)),
), {'block': {'origin': BASE, 'instances': [bare(13, cats=[{'type': 'normalised', 'level': 0, 'format': 0, 'source': 'normalised',
                                                            'statistic': 'current', 'unit': 'none', 'windowMs': 0, 'value': '11'}])]},
    'events': 11})

write('no-origin', 'A wrong Service and Origin count as absent, and an Instance has no SID', block(
    tlv(2, 'Origin, 4 octets', Hex().u32(1, 'short')), service('2001:db8::', 129), instance(1, 0, computing(1, 0, 1, 1)),
), {'block': {'instances': [{**{k: v for k, v in bare(1).items() if k != 'sid'},
                             'computing': [{'class': 'logical', 'chip': 'mixed', 'total': '1', 'residual': '1'}]}]}, 'events': 3})

write('foreign-version', 'Another version is somebody else\'s', Hex().add(b'CPN', 'magic').u8(2, 'version 2').add(b'\1\2\3', 'not for us'), {'kind': 'foreign'})
write('framing-overrun', 'A TLV longer than what is left', block(ORIGIN, Hex().u16(3, 'type 3').u16(9, 'length 9').add(bytes(8), 'eight octets')),
      {'kind': 'framingFault', 'offset': 44})
write('framing-padding', 'A TLV without its padding', block(ORIGIN, Hex().u16(200, 'type 200').u16(5, 'length 5').add(bytes(5), 'five octets')),
      {'kind': 'framingFault', 'offset': 44})
write('framing-inner', 'A sub-TLV longer than its Instance', block(
    ORIGIN, tlv(3, 'Instance', Hex().u32(1, 'instance ID').u32(0, 'flags').join(Hex().u16(13, 'type 13').u16(16, 'length 16').u32(0, 'four octets')))),
    {'kind': 'framingFault', 'offset': 56})
write('framing-rest', 'Octets left that are no TLV header', block(ORIGIN, Hex().add(b'\0\0\0', 'three octets')), {'kind': 'framingFault', 'offset': 44})


def option(flags, *requirements):
    result = Hex().add(b'CP', 'magic').u8(1, 'version').u8(flags, f'flags {flags:#04x}')
    for number, name, value in requirements:
        length = len(value.octets())
        result.u8(number, f'type {number}: {name}').u8(length, f'length {length}').join(value)
    return result


write('option-full', 'Every requirement', option(
    0x80,
    (1, 'latency', Hex().u32(20000, '20 ms')),
    (2, 'computing', Hex().u8(2, 'parallel').u64(3_090_000_000_000, 'residual')),
    (3, 'workload', Hex().u64(2**63, 'operations')),
    (4, 'data size', Hex().u64(1 << 20, 'octets')),
    (5, 'stickiness', Hex().u8(2, 'client').u16(300, 'seconds')),
    (6, 'storage', Hex().u8(1, 'block').u64(10**12, 'octets')),
    (7, 'network', Hex().u64(10**8, 'bandwidth').u32(500, 'PDV').u32(1000, 'loss')),
    (8, 'algorithm', Hex().u16(7, 'algorithm ID')),
    (9, 'application', Hex().u32(0xdeadbeef, 'APN-ID')),
    (10, 'objective', Hex().u8(100, 'latency').u8(20, 'energy').u8(30, 'utilisation').u8(255, 'price')),
    (11, 'data type', Hex().u16(4, 'video')),
    (12, 'security', Hex().u8(1, 'authenticated path')),
), {'kind': 'requirements', 'requirements': {
    'splittable': True, 'latencyUs': 20000, 'computing': {'class': 2, 'minResidual': '3090000000000'}, 'workload': '9223372036854775808',
    'dataSize': '1048576', 'stickiness': {'mode': 2, 'seconds': 300}, 'storage': {'ability': 1, 'octets': '1000000000000'},
    'network': {'minBandwidth': '100000000', 'maxPdvUs': 500, 'maxLossPpm': 1000}, 'algorithm': 7, 'application': 3735928559,
    'objective': {'latency': 100, 'energy': 20, 'utilisation': 30, 'price': 255}, 'dataType': 4, 'security': 1}})
write('option-repeated', 'Unknown types are skipped, the first of a repeated type counts', option(
    0x7f, (99, 'unknown', Hex().add(b'\1\2\3', 'whatever')), (1, 'latency', Hex().u32(5, '5 us')), (1, 'latency', Hex().u32(9, '9 us'))),
    {'kind': 'requirements', 'requirements': {'splittable': False, 'latencyUs': 5}})
write('option-length', 'A known requirement of a wrong length', option(0, (1, 'latency', Hex().u16(5, 'two octets'))), {'kind': 'malformed'})
write('option-class', 'An impossible class', option(0, (2, 'computing', Hex().u8(4, 'class 4').u64(1, 'residual'))), {'kind': 'malformed'})
write('option-overrun', 'A requirement past the end', option(0).add(b'\x01\x04\0\0', 'latency cut short'), {'kind': 'malformed'})
write('option-foreign', 'Another magic', Hex().add(b'XP', 'magic').u8(1, 'version').u8(0, 'flags'), {'kind': 'foreign'})
