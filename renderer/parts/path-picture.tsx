// Module parts/path-picture draws the way out: this PC, its router, the server, the Internet, and the direct way past the server.
import { useEffect, useRef, useState } from 'react';
import type { ReactElement, RefObject } from 'react';
import { useTranslation } from 'react-i18next';
import type { PeerRow, StatusSlice } from '../../engine/service/slices.ts';
import { formatMs } from '../app/format.ts';
import { wayOf } from '../app/path.ts';
import type { LinkState } from '../app/path.ts';

/** The width of an element, as it is drawn, px. */
function useWidth(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(640);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(entry!.contentRect.width));
    watch.observe(element.current!);
    return () => watch.disconnect();
  }, [element]);
  return width;
}

const BOX = 48;
const Y = 64;
const HEIGHT = 132;

const PICTURES = {
  pc: 'M10 12h28v19H10zM18 38h12M24 31v7',
  router:
    'M9 26h30v11H9zM15 31.5h.01M21 31.5h.01M24 20v6M17 17a10 10 0 0 1 14 0M12 12a17 17 0 0 1 24 0',
  server: 'M11 10h26v12H11zM11 26h26v12H11zM17 16h.01M17 32h.01M24 16h8M24 32h8',
  internet:
    'M24 9a15 15 0 1 0 0 30 15 15 0 0 0 0-30ZM9 24h30M24 9c5 4 7 9 7 15s-2 11-7 15c-5-4-7-9-7-15s2-11 7-15Z',
} as const;

function Place(props: {
  x: number;
  picture: keyof typeof PICTURES;
  name: string;
  gloss: string;
}): ReactElement {
  const { x, picture, name, gloss } = props;
  return (
    <g transform={`translate(${x} ${Y})`}>
      <rect className="path-box" x={-BOX / 2} y={-BOX / 2} width={BOX} height={BOX} rx="10" />
      <path
        className="path-icon"
        transform="translate(-17 -17) scale(.71)"
        d={PICTURES[picture]}
        vectorEffect="non-scaling-stroke"
      />
      <text className="path-name" y={BOX / 2 + 22}>
        {name}
      </text>
      <text className="path-gloss" y={BOX / 2 + 40}>
        {gloss}
      </text>
    </g>
  );
}

/** The mark in the middle of a link; its shape says what its colour says. */
function LinkMark({ word }: { word: LinkState['word'] }): ReactElement {
  if (word === 'good') return <path className="path-mark" d="m-5 .5 3.5 3.5 6.5-7.5" />;
  if (word === 'work') return <path className="path-mark" d="M-4 0h.01M0 0h.01M4 0h.01" />;
  if (word === 'bad' || word === 'cut')
    return <path className="path-mark" d="m-4-4 8 8M4-4l-8 8" />;
  return <path className="path-mark" d="M-4 0h8" />;
}

function Link(props: { from: number; to: number; link: LinkState; text: string }): ReactElement {
  const { from, to, link, text } = props;
  const middle = (from + to) / 2;
  return (
    <g className={`path-link tone-${link.tone} is-${link.word}`}>
      <path className="path-line" d={`M${from + BOX / 2 + 6} ${Y}H${to - BOX / 2 - 6}`} />
      <g transform={`translate(${middle} ${Y})`}>
        <circle className="path-dot" r="10" />
        <LinkMark word={link.word} />
      </g>
      <text className="path-says" x={middle} y={Y + 28}>
        {text}
      </text>
    </g>
  );
}

export function PathPicture(props: {
  status: StatusSlice;
  peers: readonly PeerRow[];
}): ReactElement {
  const { status, peers } = props;
  const { t, i18n } = useTranslation();
  const place = useRef<HTMLDivElement>(null);
  const width = useWidth(place);
  const { links, direct } = wayOf(status, peers);
  const says = (link: LinkState): string =>
    link.ms !== null
      ? formatMs(link.ms, i18n.language)
      : {
          good: t('status.linkGood'),
          work: t('status.linkWork'),
          bad: t('status.linkBad'),
          cut: t('status.linkCut'),
          idle: t('status.linkIdle'),
          off: t('status.linkOff'),
          unknown: t('status.linkUnknown'),
        }[link.word];
  const [a, b, c] = links.map(says) as [string, string, string];
  const edge = 72;
  const at = (nth: number): number => Math.round(edge + ((width - 2 * edge) * nth) / 3);
  const [pc, router, server, internet] = [at(0), at(1), at(2), at(3)];
  const port = status.mapped ?? '';
  const best =
    direct.bestMs === null
      ? ''
      : ` · ${t('status.directBest', { ms: formatMs(direct.bestMs, i18n.language) })}`;
  return (
    <div ref={place}>
      <svg
        className="path"
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={t('status.pathSays', { a, b, c })}
      >
        {direct.count > 0 && (
          <g className="path-direct">
            <path
              className="path-burrow"
              d={`M${router + 14} ${Y - BOX / 2 - 5}C${router + 50} 12 ${internet - 50} 12 ${internet - 14} ${Y - BOX / 2 - 5}`}
            />
            <text className="path-direct-says" x={(router + internet) / 2} y="13">
              {t('status.direct', { count: direct.count }) + best}
            </text>
          </g>
        )}
        <Link from={pc} to={router} link={links[0]} text={a} />
        <Link from={router} to={server} link={links[1]} text={b} />
        <Link from={server} to={internet} link={links[2]} text={c} />
        <Place x={pc} picture="pc" name={t('status.pathPc')} gloss="" />
        <Place
          x={router}
          picture="router"
          name={status.nat === 'none' ? t('status.pathNone') : t('status.pathNat')}
          gloss={port}
        />
        <Place
          x={server}
          picture="server"
          name={t('status.pathServer')}
          gloss={status.server ?? t('status.pathServerGloss')}
        />
        <Place
          x={internet}
          picture="internet"
          name={t('status.pathInternet')}
          gloss={t('status.pathInternetGloss')}
        />
      </svg>
    </div>
  );
}
