// What the app gives the window.
import type { Bridge } from '../engine/service/bridge.ts';

declare global {
  interface Window {
    readonly shipworm: Bridge;
  }
}
