import { expect, test } from '@jest/globals';
import { isPublicAddress } from './public-addresses.ts';

test.each([
  ['this network', ['0.0.0.0', '0.0.0.1', '0.255.255.255']],
  [
    'private',
    ['10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.1', '192.168.255.255'],
  ],
  ['CGNAT', ['100.64.0.0', '100.100.100.200', '100.127.255.255']],
  ['loopback', ['127.0.0.0', '127.0.0.1', '127.255.255.255']],
  ['link-local and metadata', ['169.254.0.0', '169.254.169.254', '169.254.170.2', '169.254.255.255']],
  ['protocol assignments', ['192.0.0.0', '192.0.0.170', '192.0.0.192', '192.0.0.255']],
  ['documentation', ['192.0.2.1', '198.51.100.1', '203.0.113.255']],
  ['the 6to4 relay', ['192.88.99.1']],
  ['AMT and AS112', ['192.52.193.1', '192.31.196.1', '192.175.48.1']],
  ['benchmarking', ['198.18.0.0', '198.19.255.255']],
  ['multicast', ['224.0.0.1', '239.255.255.255']],
  ['reserved and broadcast', ['240.0.0.1', '255.255.255.254', '255.255.255.255']],
  ['the platform’s own services', ['168.63.129.16']],
  ['IPv6 unspecified and loopback', ['::', '::1', '0:0:0:0:0:0:0:1', '0000::0001']],
  ['IPv6 link-local', ['fe80::1', 'fe80::1%eth0', 'febf:ffff::1']],
  ['IPv6 site-local', ['fec0::1', 'feff::1']],
  ['ULA, including metadata', ['fc00::1', 'fd00::1', 'fd00:ec2::254', 'fdff:ffff::1']],
  ['mapped', ['::ffff:127.0.0.1', '::ffff:7f00:1', '::FFFF:A9FE:A9FE', '0:0:0:0:0:ffff:10.0.0.1']],
  ['mapped, even if the embedded address is public', ['::ffff:8.8.8.8', '::ffff:808:808']],
  ['translated', ['::ffff:0:127.0.0.1', '::ffff:0:808:808']],
  ['compatible', ['::127.0.0.1', '::7f00:1', '::a9fe:a9fe', '::8.8.8.8']],
  ['6to4', ['2002:7f00:1::', '2002:a9fe:a9fe::1', '2002:808:808::1']],
  ['NAT64', ['64:ff9b::127.0.0.1', '64:ff9b::a9fe:a9fe', '64:ff9b::8.8.8.8', '64:ff9b:1::a00:1']],
  ['Teredo', ['2001::1', '2001:0:4136:e378:8000:63bf:3fff:fdd2']],
  ['IPv6 protocol assignments', ['2001:2::1', '2001:3::1', '2001:10::1', '2001:20::1', '2001:1ff:ffff::1']],
  ['IPv6 documentation', ['2001:db8::1', '3fff::1', '3fff:fff::1']],
  ['IPv6 discard and segment routing', ['100::1', '5f00::1']],
  ['IPv6 multicast', ['ff00::1', 'ff02::1', 'ff0e::1']],
  ['outside global unicast', ['4000::1', '8000::1', 'e000::1', '1fff::1', '200::1']],
])('%s addresses are not public', (_kind, addresses) => {
  for (const address of addresses)
    expect({ address, public: isPublicAddress(address) }).toEqual({ address, public: false });
});

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.1',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '2001:200::1',
  '2606:4700:4700::1111',
  '2a00:1450::1',
  '2003::1',
  '3ffe:ffff::1',
])('%s is public, although neighbouring ranges are not', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test.each([
  '',
  'localhost',
  '127.1',
  '0x7f000001',
  '2130706433',
  '017700000001',
  '[::1]',
  '8.8.8.8:80',
  '8.8.8.8 ',
  '1.1.1.1/8',
])('"%s" is not an address, and so not public', (text) => {
  expect(isPublicAddress(text)).toBe(false);
});
