// Hosts: sockets, several interfaces, multicast on a LAN, ICMPv4 errors; the public Internet routes no private address and no multicast.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Host, NAT_KINDS, Segment, Simulation, Trace } from '../../../engine/sim/index.ts';
import type { NatKindName, Packet } from '../../../engine/sim/index.ts';
import { NAT_IP, X1, X2, Y1, Y2, at, ip, listen, natNetwork } from './network.ts';

const HELLO = new Uint8Array([1, 2, 3]);

describe('a socket', () => {
  it('sends and receives, and tells on which address it arrived', () => {
    const { y1, y2, run } = natNetwork();
    const a = listen(y1, 1000);
    const b = listen(y2, 2000);
    expect(a.socket.send(at(`${Y2}:2000`), HELLO)).toBe(true);
    run();
    expect(b.heard).toEqual([{ from: at(`${Y1}:1000`), bytes: [1, 2, 3], on: ip(Y2) }]);
  });

  it('bound to an address comes before one bound to all, and answers from it', () => {
    const simulation = new Simulation(1);
    const internet = new Segment(simulation, 'internet');
    const server = new Host(simulation, 'server');
    server.addInterface(internet, ip('192.0.2.1'));
    server.addInterface(internet, ip('192.0.2.2'));
    const client = new Host(simulation, 'client');
    client.addInterface(internet, ip(Y1));
    const second = listen(server, 3544, ip('192.0.2.2'));
    const any = listen(server, 3544);
    const c = listen(client, 1000);
    c.socket.send(at('192.0.2.1:3544'), HELLO);
    c.socket.send(at('192.0.2.2:3544'), HELLO);
    second.socket.send(at(`${Y1}:1000`), HELLO);
    any.socket.send(at(`${Y1}:1000`), HELLO, ip('192.0.2.2'));
    any.socket.send(at(`${Y1}:1000`), HELLO);
    simulation.runUntil(simulation.now + 100);
    expect(any.heard.map((h) => h.on)).toEqual([ip('192.0.2.1')]);
    expect(second.heard.map((h) => h.on)).toEqual([ip('192.0.2.2')]);
    expect(c.heard.map((h) => h.from.ip)).toEqual(['192.0.2.2', '192.0.2.2', '192.0.2.1'].map(ip));
  });

  it('refuses what can not be sent: no route, port 0, too long, closed', () => {
    const simulation = new Simulation(1);
    const host = new Host(simulation, 'host');
    const { socket } = listen(host, 1000);
    expect(socket.send(at(`${Y1}:1`), HELLO)).toBe(false);
    const lan = new Segment(simulation, 'lan', { address: ip('192.168.1.0'), prefix: 24 });
    host.addInterface(lan, ip(X1));
    expect(socket.send(at(`${Y1}:1`), HELLO)).toBe(false);
    expect(socket.send(at(`${X2}:1`), HELLO)).toBe(true);
    expect(socket.send(at(`${X2}:0`), HELLO)).toBe(false);
    expect(socket.send(at(`${X2}:1`), new Uint8Array(65_508))).toBe(false);
    expect(socket.send(at(`${X2}:1`), HELLO, ip(Y1))).toBe(false);
    socket.close();
    expect(socket.send(at(`${X2}:1`), HELLO)).toBe(false);
    expect(listen(host, 1000).socket.port).toBe(1000);
  });

  it('takes a free port for 0, and refuses a taken one', () => {
    const { y1 } = natNetwork();
    const ports = Array.from({ length: 20 }, () => y1.bind(0).port);
    expect(new Set(ports).size).toBe(20);
    expect(() => y1.bind(ports[0]!)).toThrow('is taken');
  });

  it('reaches its own host without the network', () => {
    const { y1, run } = natNetwork();
    const a = listen(y1, 1000);
    const b = listen(y1, 2000);
    a.socket.send(at(`${Y1}:2000`), HELLO);
    a.socket.send(at(`${Y1}:9`), HELLO);
    run(0);
    expect(b.heard).toHaveLength(1);
    expect(a.errors).toEqual([{ to: at(`${Y1}:9`), type: 3, code: 3 }]);
  });

  it('bytes are copied: neither end sees what the other does to its array', () => {
    const { y1, y2, run } = natNetwork();
    const b = listen(y2, 2000);
    const bytes = new Uint8Array([7]);
    listen(y1, 1000).socket.send(at(`${Y2}:2000`), bytes);
    bytes[0] = 0;
    run();
    expect(b.heard[0]!.bytes).toEqual([7]);
  });
});

describe('a LAN', () => {
  it('carries multicast to the members of the group, and no router forwards it', () => {
    const { simulation, nat, inside, inside2, y1, run } = natNetwork();
    const trace = new Trace(simulation);
    const third = new Host(simulation, 'x3');
    third.addInterface(nat.inside, ip('192.168.1.4'));
    const sender = listen(inside, 3544);
    const member = listen(inside2, 3544);
    const stranger = listen(third, 3544);
    const outside = listen(y1, 3544);
    for (const each of [sender, member, outside]) each.socket.join(ip('224.0.0.253'));
    sender.socket.send(at('224.0.0.253:3544'), HELLO);
    run();
    expect(member.heard).toEqual([
      { from: at(`${X1}:3544`), bytes: [1, 2, 3], on: ip('224.0.0.253') },
    ]);
    expect([sender, stranger, outside].flatMap((each) => each.heard)).toEqual([]);
    expect(trace.events).toContainEqual(
      expect.objectContaining({ node: 'nat', reason: 'multicastNotForwarded' }),
    );
  });

  it('answers no multicast and no broadcast with an ICMP error (RFC 1122 §3.2.2)', () => {
    const { inside, run } = natNetwork();
    const sender = listen(inside, 4000);
    sender.socket.send(at('224.0.0.253:9'), HELLO);
    sender.socket.send(at('192.168.1.255:9'), HELLO);
    run();
    expect(sender.errors).toEqual([]);
  });

  it('carries broadcast to all', () => {
    const { inside, inside2, run } = natNetwork();
    const b = listen(inside2, 3544);
    const { socket } = listen(inside, 4000);
    socket.send(at('192.168.1.255:3544'), HELLO);
    socket.send(at('255.255.255.255:3544'), HELLO);
    run();
    expect(b.heard).toHaveLength(2);
  });
});

describe('the public Internet', () => {
  it.each(['192.168.1.2:9', '10.0.0.1:9', '224.0.0.253:3544', '255.255.255.255:9'])(
    'has no route to %s',
    (to) => {
      const { simulation, y1, run } = natNetwork();
      const trace = new Trace(simulation);
      listen(y1, 1000).socket.send(at(to), HELLO);
      run();
      expect(trace.events.at(-1)).toMatchObject({ kind: 'drop', reason: 'noRoute' });
    },
  );
});

describe('interfaces', () => {
  it('tell the networks in use and each change of them', () => {
    const { nat, internet, simulation } = natNetwork();
    const host = new Host(simulation, 'laptop');
    let changes = 0;
    host.onNetworkChange = () => changes++;
    const wifi = host.addInterface(nat.inside, ip('192.168.1.9'));
    const mobile = host.addInterface(internet, ip('203.0.113.9'));
    expect(host.networks()).toEqual([
      { address: ip('192.168.1.9'), prefix: 24 },
      { address: ip('203.0.113.9'), prefix: 32 },
    ]);
    wifi.setUp(false);
    wifi.setUp(false);
    expect(host.networks()).toHaveLength(1);
    wifi.setUp(true);
    mobile.remove();
    mobile.remove();
    expect(host.networks()).toEqual([{ address: ip('192.168.1.9'), prefix: 24 }]);
    expect(changes).toBe(5);
  });

  it('carry traffic by the first one that is up; what is on-link goes by its own', () => {
    const { nat, internet, simulation, inside2, y1, run } = natNetwork();
    const host = new Host(simulation, 'laptop');
    const mobile = host.addInterface(internet, ip('203.0.113.9'));
    host.addInterface(nat.inside, ip('192.168.1.9'));
    const x = listen(host, 4000);
    const y = listen(y1, 1000);
    const neighbour = listen(inside2, 2000);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    mobile.setUp(false);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    mobile.setUp(true);
    x.socket.send(at(`${X2}:2000`), HELLO);
    run();
    expect(y.heard.map((h) => h.from)).toEqual([at('203.0.113.9:4000'), at(`${NAT_IP}:4000`)]);
    expect(neighbour.heard).toHaveLength(1);
  });

  it('that are unplugged receive nothing more, and free their address', () => {
    const { simulation, internet, y1, run } = natNetwork();
    const trace = new Trace(simulation);
    const host = new Host(simulation, 'laptop');
    const plugged = host.addInterface(internet, ip('203.0.113.9'));
    const x = listen(host, 1000);
    const y = listen(y1, 1000);
    y.socket.send(at('203.0.113.9:1000'), HELLO);
    // Beyond the first of its two lines, which take 5 ms each.
    run(7);
    y.socket.send(at('203.0.113.9:1000'), HELLO);
    plugged.remove();
    run();
    expect(x.heard).toEqual([]);
    expect(trace.events.filter((e) => e.kind === 'drop').map((e) => e.reason)).toEqual([
      'noRoute',
      'noRoute',
    ]);
    const next = new Host(simulation, 'next');
    next.addInterface(internet, ip('203.0.113.9'));
    expect(() => next.addInterface(internet, ip('203.0.113.9'))).toThrow('taken');
  });
});

/** Multicast and broadcast end at several nodes. */
function isForMany(packet: Packet): boolean {
  const many = ['224.0.0.253', '192.168.1.255', '255.255.255.255'].map(ip);
  return packet.kind === 'udp' && many.includes(packet.destination.ip);
}

describe('anything at all', () => {
  it('never throws, and every packet comes to exactly one end', () => {
    const endpoints = [
      ...[NAT_IP, X1, X2, Y1, Y2, '10.9.9.9', '192.168.1.1', '192.168.1.255', '224.0.0.253'],
      '255.255.255.255',
      '0.0.0.0',
      '127.0.0.1',
    ].flatMap((address) => [at(`${address}:1000`), at(`${address}:4000`), at(`${address}:77`)]);
    const action = fc.tuple(
      fc.nat(3),
      fc.constantFrom(...endpoints),
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(40),
    );
    const kinds = Object.keys(NAT_KINDS) as NatKindName[];
    fc.assert(
      fc.property(
        fc.constantFrom(...kinds),
        fc.boolean(),
        fc.array(action, { maxLength: 30 }),
        fc.integer(),
        (kind, rejects, actions, seed) => {
          const network = natNetwork({ ...NAT_KINDS[kind], rejects }, [NAT_IP], seed);
          const { simulation, nat, inside, inside2, y1, y2, run } = network;
          nat.line.set({ loss: 0.1, duplicate: 0.1, reorder: 0.1, jitterMs: 5 });
          const trace = new Trace(simulation);
          const sockets = [inside, inside2, y1, y2].map(
            (host, i) => listen(host, i < 2 ? 4000 : 1000).socket,
          );
          for (const [who, to, bytes, pause] of actions) {
            sockets[who]!.send(to, bytes);
            if (pause === 0) nat.reboot(10);
            run(pause);
          }
          run(1000);
          const single = trace.events.filter((e) => !isForMany(e.packet));
          const begun = single.filter((e) => e.kind === 'send' || e.kind === 'duplicate').length;
          const ended = single.filter((e) => e.kind === 'receive' || e.kind === 'drop').length;
          expect(ended).toBe(begun);
        },
      ),
      { numRuns: 200 },
    );
  });
});
