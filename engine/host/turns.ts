// Module host/turns puts work off to the event loop's next turn, so that a stream of calls leaves timers and other I/O theirs.

/**
 * Does `work` at the first call of a turn of the event loop, and once more in the next turn for all calls that came meanwhile. Node calls a
 * thread-safe function again and again as long as threads call it, and nothing else runs meanwhile.
 */
export function onceATurn(work: () => void): () => void {
  let done = false;
  let due = false;
  const act = (): void => {
    done = true;
    due = false;
    setImmediate(() => {
      done = false;
      if (due) act();
    });
    work();
  };
  return () => {
    due = true;
    if (!done) act();
  };
}
