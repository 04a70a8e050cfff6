// Work that a flood of calls asks for leaves timers and other I/O their turn.
import { expect, it } from 'vitest';
import { onceATurn } from '../../../engine/host/turns.ts';

it('does the work once for all calls of a turn, and not before they are over', async () => {
  let done = 0;
  const call = onceATurn(() => done++);
  for (let i = 0; i < 1_000; i++) call();
  expect(done).toBe(0);
  await new Promise((resolve) => setImmediate(resolve));
  expect(done).toBe(1);
  call();
  await new Promise((resolve) => setImmediate(resolve));
  expect(done).toBe(2);
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
