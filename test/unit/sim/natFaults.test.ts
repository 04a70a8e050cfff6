// What else happens at a NAT: ICMP errors, unsolicited input, reboots, new addresses, blocked ports, NATs behind NATs.
import { describe, expect, it } from 'vitest';
import { Host, Nat, NAT_KINDS } from '../../../engine/sim/index.ts';
import { NAT_IP, Y1, Y2, at, ip, listen, natNetwork } from './network.ts';

const HELLO = new Uint8Array([1, 2, 3]);

describe('ICMP (RFC 4787 §9)', () => {
  it('passes an error to the socket inside, rewritten, and keeps the mapping (REQ-12)', () => {
    const { inside, nat, run } = natNetwork({ assignment: 'random' });
    const x = listen(inside, 4000);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    expect(x.errors).toEqual([{ to: at(`${Y1}:1000`), type: 3, code: 3 }]);
    expect(nat.mappings()).toHaveLength(1);
  });

  it('passes an error out that an inside host makes, under the external address', () => {
    const { inside, y1, run } = natNetwork();
    const x = listen(inside, 4000);
    const y = listen(y1, 1000);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    x.socket.close();
    y.socket.send(at(`${NAT_IP}:4000`), HELLO);
    run();
    expect(y.errors).toEqual([{ to: at(`${NAT_IP}:4000`), type: 3, code: 3 }]);
  });

  it('does not when told so', () => {
    const { inside, run } = natNetwork({ passIcmp: false });
    const x = listen(inside, 4000);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    expect(x.errors).toEqual([]);
  });

  it('a host that does not answer stays silent', () => {
    const { inside, y1, run } = natNetwork();
    y1.answersUnreachable = false;
    const x = listen(inside, 4000);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    expect(x.errors).toEqual([]);
  });
});

describe('unsolicited input', () => {
  it.each([
    ['dropped: the mapping keeps its port', 'drop', 4000],
    ['recorded: the pair is taken, the inside host gets another port', 'record', 4001],
  ] as const)('%s', (_, unsolicited, expected) => {
    for (const kind of [NAT_KINDS.linux, NAT_KINDS.portRestricted]) {
      const { inside, y1, y2, run } = natNetwork({ ...kind, unsolicited });
      const x = listen(inside, 4000);
      const early = listen(y1, 1000);
      const other = listen(y2, 1000);
      x.socket.send(at(`${Y2}:1000`), HELLO);
      run();
      early.socket.send(at(`${NAT_IP}:4000`), HELLO);
      run();
      x.socket.send(at(`${Y1}:1000`), HELLO);
      x.socket.send(at(`${Y2}:1000`), HELLO);
      run();
      expect(early.heard.map((heard) => heard.from.port)).toEqual([expected]);
      // Whoever did not come unasked still sees the old port.
      expect(other.heard.map((heard) => heard.from.port)).toEqual([4000, 4000]);
    }
  });

  it('a record ends recordMs after the last packet', () => {
    const { inside, y1, run } = natNetwork({ unsolicited: 'record', recordMs: 30_000 });
    const x = listen(inside, 4000);
    const y = listen(y1, 1000);
    y.socket.send(at(`${NAT_IP}:4000`), HELLO);
    run(30_100);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    expect(y.heard.map((heard) => heard.from.port)).toEqual([4000]);
  });

  it('is answered with port unreachable by a NAT that rejects', () => {
    for (const rejects of [true, false]) {
      const { y1, run } = natNetwork({ rejects });
      const y = listen(y1, 1000);
      y.socket.send(at(`${NAT_IP}:4000`), HELLO);
      run();
      expect(y.errors).toHaveLength(rejects ? 1 : 0);
    }
  });
});

describe('faults', () => {
  it('a reboot loses the mappings', () => {
    const { inside, y1, nat, run } = natNetwork({ assignment: 'sequential' });
    const x = listen(inside, 4000);
    const y = listen(y1, 1000);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    nat.reboot(5000);
    y.socket.send(y.heard[0]!.from, HELLO);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run(4000);
    expect(x.heard).toEqual([]);
    expect(y.heard).toHaveLength(1);
    run(1000);
    y.socket.send(y.heard[0]!.from, HELLO);
    run();
    expect(x.heard).toEqual([]);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    expect(y.heard[1]!.from).not.toEqual(y.heard[0]!.from);
  });

  it('a renumbered NAT is seen from its new address and not at its old one', () => {
    const { inside, y1, nat, run } = natNetwork();
    const x = listen(inside, 4000);
    const y = listen(y1, 1000);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    nat.renumber([ip('198.51.100.77')]);
    y.socket.send(at(`${NAT_IP}:4000`), HELLO);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    expect(x.heard).toEqual([]);
    expect(y.heard.map((heard) => heard.from)).toEqual([
      at(`${NAT_IP}:4000`),
      at('198.51.100.77:4000'),
    ]);
  });

  it.each([
    ['the named ports', [1000], 0, 1],
    ['all of UDP', 'all', 0, 0],
    ['none', [], 1, 1],
  ] as const)('blocks %s', (_, blockedPorts, toBlocked, toOther) => {
    const { inside, y1, run } = natNetwork({ blockedPorts });
    const blocked = listen(y1, 1000);
    const other = listen(y1, 1001);
    const x = listen(inside, 4000);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    x.socket.send(at(`${Y1}:1001`), HELLO);
    run();
    expect([blocked.heard.length, other.heard.length]).toEqual([toBlocked, toOther]);
  });

  it('blocks what comes from a blocked port, too', () => {
    const { inside, y1, run } = natNetwork({
      blockedPorts: [1000],
      filtering: 'endpointIndependent',
    });
    const x = listen(inside, 4000);
    const blocked = listen(y1, 1000);
    const other = listen(y1, 1001);
    x.socket.send(at(`${Y1}:1001`), HELLO);
    run();
    for (const each of [blocked, other]) each.socket.send(at(`${NAT_IP}:4000`), HELLO);
    run();
    expect(x.heard.map((heard) => heard.from)).toEqual([at(`${Y1}:1001`)]);
  });

  it('ends a packet whose time to live is over (RFC 791)', () => {
    const { simulation, nat, y1, run } = natNetwork();
    const y = listen(y1, 1000);
    const port = nat.inside.attach({ name: 'raw', receive: () => undefined }, [ip('192.168.1.8')]);
    for (const ttl of [1, 2])
      port.send(
        {
          kind: 'udp',
          id: simulation.packetId(),
          ttl,
          source: at('192.168.1.8:4000'),
          destination: at(`${Y1}:1000`),
          bytes: new Uint8Array([ttl]),
        },
        ip('192.168.1.1'),
      );
    run();
    expect(y.heard.map((heard) => heard.bytes)).toEqual([[2]]);
  });
});

describe('nested NATs', () => {
  it('translates twice, both ways, errors too', () => {
    const { simulation, nat, y1, run } = natNetwork(NAT_KINDS.carrier);
    const home = new Nat(simulation, 'home', {
      outside: nat.inside,
      addresses: [ip('192.168.1.50')],
      inside: { address: ip('10.0.0.0'), prefix: 8, gateway: ip('10.0.0.1') },
    });
    const deep = new Host(simulation, 'deep');
    deep.addInterface(home.inside, ip('10.1.2.3'));
    const x = listen(deep, 4000);
    const y = listen(y1, 1000);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    const { from } = y.heard[0]!;
    expect(from.ip).toBe(ip(NAT_IP));
    expect(nat.mappings()[0]).toMatchObject({ internal: at('192.168.1.50:4000'), external: from });
    expect(home.mappings()[0]).toMatchObject({ internal: at('10.1.2.3:4000') });
    y.socket.send(from, HELLO);
    run();
    expect(x.heard.map((heard) => heard.from)).toEqual([at(`${Y1}:1000`)]);
    x.socket.send(at(`${Y1}:9`), HELLO);
    run();
    expect(x.errors).toEqual([{ to: at(`${Y1}:9`), type: 3, code: 3 }]);
  });
});
