// Module host/turns puts work off to the event loop's next turn, so that a stream of calls leaves timers and other I/O theirs.

/**
 * Does `work` once in the loop's next turn, however often it is called before that. Node calls a thread-safe function again and again as
 * long as threads call it, and nothing else runs meanwhile.
 */
export function onceATurn(work: () => void): () => void {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    setImmediate(() => {
      due = false;
      work();
    });
  };
}
