// Holds what Miredo 1.2.6 does between five kinds of NAT, as measured in network namespaces with the kernel's NAT.

export const MIREDO_KINDS = ['none', 'cone', 'restricted', 'symmetric', 'open'] as const;
type Kind = (typeof MIREDO_KINDS)[number];

/** By source, then destination. */
export const MIREDO_PAIRS: Readonly<Record<Kind, Readonly<Record<Kind, 'ok' | 'fail'>>>> = {
  none: { none: 'ok', cone: 'ok', restricted: 'ok', symmetric: 'ok', open: 'ok' },
  cone: { none: 'ok', cone: 'ok', restricted: 'ok', symmetric: 'ok', open: 'ok' },
  restricted: { none: 'ok', cone: 'ok', restricted: 'ok', symmetric: 'fail', open: 'fail' },
  symmetric: { none: 'fail', cone: 'fail', restricted: 'fail', symmetric: 'fail', open: 'fail' },
  open: { none: 'ok', cone: 'ok', restricted: 'ok', symmetric: 'fail', open: 'fail' },
};
