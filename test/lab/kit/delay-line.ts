// Module lab/kit/delay-line lets all packets of a router pass through a user-space delay line (test/lab/delay.cc).
import { compiled } from './compile.ts';
import { ipBatch, Program } from './processes.ts';

/** The routing table whose only way is the delay line. */
const TABLE = 100;

/**
 * What comes in by one of `lines` is routed to a TUN device, whose owner gives it back later; what comes out of that device
 * goes where the router's ordinary table says.
 */
export class DelayLine {
  private readonly space: string;
  private readonly lines: readonly string[];
  private program: Program | null = null;

  constructor(space: string, lines: readonly string[]) {
    this.space = space;
    this.lines = lines;
  }

  /** Milliseconds each packet takes; 0 switches it off. */
  async set(ms: number): Promise<void> {
    if (this.program) {
      ipBatch(
        this.lines.map((line) => `rule del iif ${line} table ${TABLE}`),
        this.space,
      );
      await this.program.stop();
      this.program = null;
    }
    if (ms === 0) return;
    const program = new Program(this.space, compiled('delay'), ['delay', String(ms)]);
    await program.says(/ready/, 10_000);
    ipBatch(
      [
        'link set delay up',
        `route add default dev delay table ${TABLE}`,
        ...this.lines.map((line) => `rule add iif ${line} table ${TABLE}`),
      ],
      this.space,
    );
    this.program = program;
  }
}
