// Work that a flood of calls asks for leaves timers and other I/O their turn.
import { expect, it } from 'vitest';
import { onceATurn } from '../../../engine/host/turns.ts';

it('does the work at once, and once more for all calls that follow in that turn', async () => {
  let done = 0;
  const call = onceATurn(() => done++);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < 1_000; i++) call();
  expect(done).toBe(1);
  await turn();
  expect(done).toBe(2);
  await turn();
  expect(done).toBe(2);
  call();
  expect(done).toBe(3);
  await turn();
  expect(done).toBe(3);
});

it('lets a timer have its turn while each piece of work asks for another', async () => {
  let done = 0;
  let over = false;
  const call = onceATurn(() => {
    done++;
    if (!over) call();
  });
  call();
  await new Promise((resolve) => setTimeout(resolve, 20));
  over = true;
  expect(done).toBeGreaterThan(1);
});
