// Module parts/graph draws the traffic of the last two minutes, both ways, as it comes.
import { useEffect, useMemo, useRef } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Traffic } from '../../engine/service/slices.ts';
import { formatRate } from '../app/format.ts';
import { TRAFFIC_MS } from '../app/store.ts';

/** Bytes a second between each two totals, by time in s. The first has none before it. */
export function ratesOf(traffic: readonly Traffic[]): [number[], number[], number[]] {
  const at: number[] = [];
  const inward: number[] = [];
  const outward: number[] = [];
  traffic.slice(1).forEach((now, i) => {
    const before = traffic[i]!;
    const seconds = Math.max(0.001, (now.at - before.at) / 1000);
    at.push(now.at / 1000);
    inward.push((now.bytesIn - before.bytesIn) / seconds);
    outward.push((now.bytesOut - before.bytesOut) / seconds);
  });
  return [at, inward, outward];
}

/** A graph in which nothing moves is drawn this seldom, s: its scale of time is late by no more. Drawing it each second costs most of an idle window. */
const FLAT_S = 10;

const isFlat = ([, inward, outward]: readonly number[][]): boolean =>
  [inward!, outward!].every((rates) => rates.every((rate) => rate === 0));

/** The least height of the scale, bytes a second: a single ping should not fill the graph. */
const LEAST = 1_000;

function options(element: HTMLElement, height: number, language: string): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const line = (name: string): uPlot.Series => ({
    stroke: colour(name),
    width: 1.75,
    fill: `color-mix(in srgb, ${colour(name)} 12%, transparent)`,
    points: { show: false },
  });
  const axis: uPlot.Axis = {
    stroke: colour('--ink-soft'),
    font: `12px ${style.fontFamily}`,
    ticks: { show: false },
  };
  const time = timeOf(language);
  const grid = { stroke: colour('--line-colour'), width: 1 };
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 28, 0, 0],
    scales: {
      x: { time: true, range: (_, __, max) => [max - TRAFFIC_MS / 1000, max] },
      y: { range: (_, __, max) => [0, Math.max(LEAST, max * 1.1)] },
    },
    series: [{}, line('--in'), line('--out')],
    axes: [
      {
        ...axis,
        size: 24,
        grid: { show: false },
        // The first would stand under the rates.
        values: (plot, at) => at.map((s) => (plot.valToPos(s, 'x') < HALF_TIME ? null : time(s))),
      },
      {
        ...axis,
        size: 72,
        space: 40,
        grid,
        values: (_, rates) => rates.map((rate) => formatRate(rate, language)),
      },
    ],
  };
}

/** Half of what a time takes, px. */
const HALF_TIME = 30;

/** The time of day, of s since 1970. */
function timeOf(language: string): (at: number) => string {
  const format = new Intl.DateTimeFormat(language, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  });
  return (at) => format.format(at * 1000);
}

export function Graph(props: {
  traffic: readonly Traffic[];
  height: number;
  dark: boolean;
}): ReactElement {
  const { traffic, height, dark } = props;
  const { t, i18n } = useTranslation();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = useMemo(() => ratesOf(traffic), [traffic]);
  const latest = useRef(data);
  /** When the graph was last drawn, if it is flat; else null. */
  const flatSince = useRef<number | null>(null);
  useEffect(() => {
    latest.current = data;
    const now = data[0].at(-1) ?? 0;
    const flat = isFlat(data);
    if (flat && flatSince.current !== null && now - flatSince.current < FLAT_S) return;
    flatSince.current = flat ? now : null;
    plot.current?.setData(data);
  }, [data]);
  useEffect(() => {
    const element = place.current!;
    const made = new uPlot(options(element, height, i18n.language), latest.current, element);
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [height, dark, i18n.language]);
  const says = t('status.trafficSays', {
    in: formatRate(data[1].at(-1) ?? 0, i18n.language),
    out: formatRate(data[2].at(-1) ?? 0, i18n.language),
  });
  return <div ref={place} className="graph" role="img" aria-label={says} style={{ height }} />;
}
