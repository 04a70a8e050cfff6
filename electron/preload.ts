// Module electron/preload gives the window its two functions, and nothing else of Electron or Node.
import { contextBridge, ipcRenderer } from 'electron';
import type { Bridge } from '../engine/service/bridge.ts';
import type { Update } from '../engine/service/slices.ts';
import { CALL, UNWATCH, UPDATE, WATCH } from './channels.ts';

const bridge: Bridge = {
  call: (name, params) => ipcRenderer.invoke(CALL, name, params),
  watch: (onUpdate) => {
    const hear = (_event: unknown, update: Update): void => onUpdate(update);
    ipcRenderer.on(UPDATE, hear);
    ipcRenderer.send(WATCH);
    return () => {
      ipcRenderer.off(UPDATE, hear);
      ipcRenderer.send(UNWATCH);
    };
  },
};

contextBridge.exposeInMainWorld('shipworm', bridge);
