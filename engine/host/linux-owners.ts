// Module host/linux-owners asks the helper who owns a socket, and has it keep the verdicts in the kernel's tables.
import { Socket } from 'node:net';
import type { FlowKey } from '../datapath/types.ts';
import type { Direction, Group, Owner, Process, SocketVerdict } from '../gate/types.ts';
import { lost } from './helper-connection.ts';
import { ownerFrames, OwnerFrameReader } from './owner-frames.ts';
import type { OwnerFrame } from './owner-frames.ts';
import { HostError } from './types.ts';
import type { Listener, OwnerEvent, Owners, OwnersOptions } from './types.ts';

/** Loading the programs takes milliseconds; longer than this it hangs. */
const MODE_TIMEOUT_MS = 5_000;

type Answer = { readonly cookie: bigint | null; readonly owner: Owner | null };
const NOBODY: Answer = { cookie: null, owner: null };

/** Opens the conversation on the stream `fd`, which it owns from then on. Rejects with HostError when the helper says nothing. */
export function openLinuxOwners(fd: number, options: OwnersOptions): Promise<Owners> {
  return new Promise((resolve, reject) => {
    const owners = new LinuxOwners(fd, options, () => {
      clearTimeout(timer);
      resolve(owners);
    });
    const fail = (error: HostError): void => {
      clearTimeout(timer);
      void owners.close();
      reject(error);
    };
    const timer = setTimeout(
      () => fail(new HostError('helper-lost', 'The helper does not answer; start Shipworm again.')),
      MODE_TIMEOUT_MS,
    );
    owners.onEarlyEnd = fail;
  });
}

class LinuxOwners implements Owners {
  mode: Owners['mode'] = 'sock-diag';
  why: string | null = null;
  startsSeen = false;
  decidesFor: readonly number[] | null = [];
  onEarlyEnd: ((error: HostError) => void) | null = null;
  private readonly socket: Socket;
  private readonly options: OwnersOptions;
  private readonly reader = new OwnerFrameReader();
  private readonly onReady: () => void;
  private open = true;
  private nextId = 1;
  private readonly queue: OwnerFrame[] = [];
  private pausing = false;
  private readonly asked = new Map<number, (answer: Answer) => void>();
  private readonly applying = new Map<number, () => void>();
  private readonly listings = new Map<number, (listeners: readonly Listener[]) => void>();

  constructor(fd: number, options: OwnersOptions, onReady: () => void) {
    this.options = options;
    this.onReady = onReady;
    this.socket = new Socket({ fd, readable: true, writable: true });
    this.socket.on('data', (bytes) => this.receive(bytes));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => this.ended());
  }

  setVerdict(cookie: bigint, verdict: SocketVerdict): Promise<void> {
    if (!this.open) return Promise.resolve();
    const id = this.id();
    return new Promise((resolve) => {
      this.applying.set(id, resolve);
      this.send(ownerFrames.verdict(id, cookie, verdict));
    });
  }

  resolve(flow: FlowKey, direction: Direction): Promise<Answer> {
    if (!this.open) return Promise.resolve(NOBODY);
    const id = this.id();
    return new Promise((resolve) => {
      this.asked.set(id, resolve);
      this.send(ownerFrames.resolve(id, flow, direction));
    });
  }

  releaseFlow(flow: FlowKey): void {
    this.send(ownerFrames.release(flow));
  }

  releaseSocket(cookie: bigint): void {
    this.send(ownerFrames.forgotten(cookie));
  }

  watch(files: readonly string[], processes: readonly Process[], groups: readonly Group[]): void {
    this.send(ownerFrames.watch(files, processes, groups));
  }

  listeners(): Promise<readonly Listener[]> {
    if (!this.open) return Promise.resolve([]);
    const id = this.id();
    return new Promise((resolve) => {
      this.listings.set(id, resolve);
      this.send(ownerFrames.listeners(id));
    });
  }

  close(): Promise<void> {
    if (!this.open) return Promise.resolve();
    this.open = false;
    this.settle();
    return new Promise((resolve) => {
      this.socket.once('close', () => resolve());
      this.socket.destroy();
    });
  }

  private id(): number {
    this.nextId = this.nextId === 0xffffffff ? 1 : this.nextId + 1;
    return this.nextId;
  }

  /** What is sent in one turn of the loop goes as one write. */
  private send(frame: Uint8Array): void {
    if (!this.open) return;
    if (this.socket.writableCorked === 0) {
      this.socket.cork();
      setImmediate(() => this.socket.uncork());
    }
    this.socket.write(frame);
  }

  private receive(bytes: Uint8Array): void {
    let frames: OwnerFrame[];
    try {
      frames = this.reader.read(bytes);
    } catch {
      this.socket.destroy();
      return;
    }
    this.queue.push(...frames);
    this.takeQueued();
  }

  /**
   * An answer is taken by its asker a moment after it was told; what comes behind it (that the same socket closed) must not
   * overtake it, or its asker would keep what nobody tells to forget.
   */
  private takeQueued(): void {
    if (this.pausing) return;
    let answered = false;
    for (let frame = this.queue[0]; frame && this.open; frame = this.queue[0]) {
      if (answered && frame.kind !== 'owner') {
        this.pausing = true;
        setImmediate(() => {
          this.pausing = false;
          this.takeQueued();
        });
        return;
      }
      answered = frame.kind === 'owner';
      this.queue.shift();
      this.take(frame);
    }
  }

  private take(frame: OwnerFrame): void {
    switch (frame.kind) {
      case 'mode':
        this.mode = frame.mode;
        this.why = frame.why;
        this.startsSeen = frame.startsSeen;
        this.decidesFor = frame.decidesFor;
        this.onEarlyEnd = null;
        this.onReady();
        break;
      case 'owner':
        this.asked.get(frame.id)?.({ cookie: frame.cookie, owner: frame.owner });
        this.asked.delete(frame.id);
        break;
      case 'applied':
        this.applying.get(frame.id)?.();
        this.applying.delete(frame.id);
        break;
      case 'listening':
        this.listings.get(frame.id)?.(frame.listeners);
        this.listings.delete(frame.id);
        break;
      case 'listener': {
        const { cookie, protocol, port, owner } = frame.listener;
        this.tell({ kind: 'listener', cookie, listening: frame.listening, protocol, port, owner });
        break;
      }
      case 'closed':
      case 'attempt':
      case 'exec':
      case 'exit':
        this.tell(frame);
    }
  }

  private tell(event: OwnerEvent): void {
    this.options.onEvent(event);
  }

  /** Nobody answers any more: what was asked is nobody's, and nothing passes. */
  private settle(): void {
    for (const resolve of this.asked.values()) resolve(NOBODY);
    for (const resolve of this.listings.values()) resolve([]);
    for (const resolve of this.applying.values()) resolve();
    this.applying.clear();
    this.asked.clear();
    this.listings.clear();
  }

  private ended(): void {
    if (!this.open) return;
    this.open = false;
    this.settle();
    if (this.onEarlyEnd) this.onEarlyEnd(lost());
    else this.options.onLost(lost());
  }
}
