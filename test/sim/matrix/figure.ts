// Holds figure 1 of RFC 6081 §3: which pairs of NATs it promises, and by which of its extensions.
import { NAT_KINDS } from '../../../engine/sim/index.ts';
import type { End } from './try.ts';

/** Kinds of NAT in the order and the words of the figure. */
export const FIGURE_KINDS = [
  'Cone',
  'Addr. rest.',
  'Port rest.',
  'UPnP Port rest.',
  'UPnP Port symm.',
  'Port-pres. Port-symm.',
  'Seq. Port-symm.',
  'Port-symm.',
  'Addr symm',
] as const;
export type FigureKind = (typeof FIGURE_KINDS)[number];

/** Rows are sources, columns destinations; `Yes` is RFC 4380, `No` is no connectivity. */
export const FIGURE: readonly (readonly string[])[] = [
  ['Yes', 'Yes', 'Yes', 'Yes', 'SNS', 'SNS', 'SNS', 'SNS', 'SNS'],
  ['Yes', 'Yes', 'Yes', 'Yes', 'SNS', 'SNS', 'SNS', 'SNS', 'No'],
  ['Yes', 'Yes', 'Yes', 'Yes', 'No', 'SNS+PP', 'SNS+SS', 'No', 'No'],
  ['Yes', 'Yes', 'Yes', 'Yes', 'SNS+UPnP', 'No', 'No', 'No', 'No'],
  ['SNS', 'SNS', 'No', 'SNS+UPnP', 'SNS+UPnP', 'No', 'No', 'No', 'No'],
  ['SNS', 'SNS', 'SNS+PP', 'No', 'No', 'SNS+PP', 'SNS+SS', 'No', 'No'],
  ['SNS', 'SNS', 'SNS+SS', 'No', 'No', 'No', 'No', 'No', 'No'],
  ['SNS', 'SNS', 'No', 'No', 'No', 'No', 'No', 'No', 'No'],
  ['SNS', 'No', 'No', 'No', 'No', 'No', 'No', 'No', 'No'],
];

/** Each kind as RFC 6081 §2 defines it. */
const ENDS: Readonly<Record<FigureKind, End>> = {
  Cone: { routers: [{ behaviour: NAT_KINDS.cone }] },
  'Addr. rest.': { routers: [{ behaviour: NAT_KINDS.restricted }] },
  'Port rest.': { routers: [{ behaviour: NAT_KINDS.portRestricted }] },
  'UPnP Port rest.': { routers: [{ behaviour: NAT_KINDS.portRestricted, grants: true }] },
  'UPnP Port symm.': { routers: [{ behaviour: NAT_KINDS.symmetric, grants: true }] },
  'Port-pres. Port-symm.': { routers: [{ behaviour: NAT_KINDS.symmetricPreserving }] },
  'Seq. Port-symm.': { routers: [{ behaviour: NAT_KINDS.symmetricSequential }] },
  'Port-symm.': { routers: [{ behaviour: NAT_KINDS.symmetric }] },
  'Addr symm': {
    routers: [{ behaviour: { ...NAT_KINDS.symmetric, pooling: 'arbitrary' }, addresses: 4 }],
  },
};

export function endOf(kind: FigureKind): End {
  return ENDS[kind];
}
