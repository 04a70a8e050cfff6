// Module test/unit/gate/cldap.test checks service records and the netlogon ping against a Samba domain controller's own bytes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildNetlogonPing, parseNetlogonAnswer } from '../../../engine/gate/cldap.ts';
import { buildServiceQuery, parseServiceAnswer, readDnsName } from '../../../engine/gate/dns.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));

/** Samba 4.17.12 as the controller of corp.example, to a ping with message id 4711. */
const ANSWER = hex(`
  30770202126764710400306d306b04086e65746c6f676f6e315f045d17000000fd130000239bdc9b53160f4d8f5a8c3cce8f35db
  04636f7270076578616d706c6500c01803646331c01804434f5250000344433100001744656661756c742d46697273742d536974
  652d4e616d6500c03a05000000ffffffff300d0202126765070a010004000400`);
/** The same Samba's name server, asked for _ldap._tcp.dc._msdcs.corp.example; it compresses the target. */
const RECORDS = hex(`
  d70885800001000100010000055f6c646170045f746370026463065f6d7364637304636f7270076578616d706c65000021000
  1c00c0021000100000384000c00000064018503646331c021c01a0006000100000e100023c0450a686f73746d6173746572c0
  210000000100000384000002580001518000000e10`);

describe('the netlogon ping', () => {
  test('is what MS-ADTS §6.3.3.1 says, in BER', () => {
    // SEQUENCE { 4711, [APPLICATION 3] { "", baseObject, neverDerefAliases, 0, 0, FALSE,
    //   and { DnsDomain = corp.example, NtVer = 6 (little-endian) }, { Netlogon } } }
    const expected = hex(`
      30 4f  02 02 1267
      63 49  04 00  0a 01 00  0a 01 00  02 01 00  02 01 00  01 01 00
        a0 2a
          a3 19  04 09 446e73446f6d61696e  04 0c 636f72702e6578616d706c65
          a3 0d  04 05 4e74566572  04 04 06000000
        30 0a  04 08 4e65746c6f676f6e`);
    expect(buildNetlogonPing('corp.example', 4711)).toEqual(expected);
  });

  test('has long lengths where they are due (X.690 §8.1.3)', () => {
    const ping = buildNetlogonPing(`${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}`, 1);
    expect([...ping.subarray(0, 3)]).toEqual([0x30, 0x81, ping.length - 3]);
    const longer = buildNetlogonPing('a'.repeat(250), 0x7fffffff);
    expect([...longer.subarray(0, 2)]).toEqual([0x30, 0x82]);
    expect([...longer.subarray(4, 10)]).toEqual([2, 4, 0x7f, 0xff, 0xff, 0xff]);
  });

  test('Samba’s answer names the domain', () => {
    expect(parseNetlogonAnswer(ANSWER)).toEqual({
      messageId: 4711,
      domain: 'corp.example',
      forest: 'corp.example',
      host: 'dc1.corp.example',
    });
  });

  test('an answer with the client’s name in it, as RFC 1798 has it, is understood', () => {
    const body = ANSWER.subarray(2, 2 + 0x77);
    const named = Uint8Array.from([0x30, 0x79, ...body.subarray(0, 4), 4, 0, ...body.subarray(4)]);
    expect(parseNetlogonAnswer(named)).toMatchObject({ domain: 'corp.example' });
  });

  test('every truncation, and an end of search without an entry, is no answer', () => {
    for (let length = 0; length < 2 + 0x77; length++)
      expect(parseNetlogonAnswer(ANSWER.subarray(0, length))).toBeNull();
    expect(parseNetlogonAnswer(ANSWER.subarray(2 + 0x77))).toBeNull();
  });

  test('another operation than the extended response is none', () => {
    const other = ANSWER.slice();
    const opcode = Buffer.from(other).indexOf(Buffer.from('17000000fd13', 'hex'));
    other[opcode] = 19;
    expect(parseNetlogonAnswer(other)).toBeNull();
  });

  test('junk never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (junk) => {
        parseNetlogonAnswer(junk);
        parseServiceAnswer(junk, 0);
      }),
    );
    fc.assert(
      fc.property(fc.nat(ANSWER.length - 1), fc.nat(255), (at, byte) => {
        const spoilt = ANSWER.slice();
        spoilt[at] = byte;
        parseNetlogonAnswer(spoilt);
      }),
    );
  });
});

describe('service records', () => {
  test('are asked for as RFC 1035 says', () => {
    const expected = RECORDS.slice(0, 12 + 35 + 4);
    expected.set([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0], 2);
    expect(buildServiceQuery('_ldap._tcp.dc._msdcs.corp.example', 0xd708)).toEqual(expected);
    for (const name of ['', 'a..b', `${'a'.repeat(64)}.example`, `${'a.'.repeat(130)}b`])
      expect(buildServiceQuery(name, 1)).toBeNull();
  });

  test('are read with a compressed target', () => {
    expect(parseServiceAnswer(RECORDS, 0xd708)).toEqual([
      { priority: 0, weight: 100, port: 389, target: 'dc1.corp.example' },
    ]);
  });

  test('of another question, with an error, or cut short are none', () => {
    expect(parseServiceAnswer(RECORDS, 0xd709)).toBeNull();
    const refused = RECORDS.slice();
    refused[3] = 0x83;
    expect(parseServiceAnswer(refused, 0xd708)).toBeNull();
    const end = RECORDS.length - 49;
    for (let length = 0; length < end; length++)
      expect(parseServiceAnswer(RECORDS.subarray(0, length), 0xd708)).toBeNull();
  });

  test('names that point in circles or forward end', () => {
    expect(readDnsName(hex('c000'), 0)).toBeNull();
    expect(readDnsName(hex('c002 c000'), 0)).toBeNull();
    expect(readDnsName(hex('0161 c000'), 0)).toBeNull();
    expect(readDnsName(hex('0161 00 0162 c000'), 3)).toEqual({ text: 'b.a', next: 7 });
  });
});
