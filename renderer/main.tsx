// Module renderer/main shows the state of the client in the window.
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { applyUpdate } from '../engine/service/slices.ts';
import type { Snapshot } from '../engine/service/slices.ts';

function Page() {
  const [snapshot, setSnapshot] = useState<Snapshot | null>(null);
  useEffect(
    () => window.shipworm.watch((update) => setSnapshot((last) => applyUpdate(last, update))),
    [],
  );
  if (!snapshot) return null;
  const { status } = snapshot;
  return (
    <main>
      <h1>{status.state}</h1>
      <p>{status.reason.text}</p>
      <p>{status.address}</p>
    </main>
  );
}

createRoot(document.getElementById('root')!).render(<Page />);
