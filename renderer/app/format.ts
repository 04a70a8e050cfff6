// Module app/format puts numbers, bytes, times and durations into words of the chosen language.

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

const numbers = new Map<string, Intl.NumberFormat>();
/** Formats are costly to make, and a table asks for thousands. */
function numberFormat(language: string, digits: number): Intl.NumberFormat {
  const key = `${language} ${digits}`;
  let format = numbers.get(key);
  if (!format) {
    format = new Intl.NumberFormat(language, {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    numbers.set(key, format);
  }
  return format;
}

export function formatNumber(value: number, language: string, digits = 0): string {
  return numberFormat(language, digits).format(value);
}

/** Decimal units, three figures: `812 B`, `1.4 MB`. */
export function formatBytes(bytes: number, language: string): string {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${formatNumber(value, language, digits)} ${UNITS[unit]!}`;
}

/** Bytes a second. */
export function formatRate(bytesPerSecond: number, language: string): string {
  return `${formatBytes(bytesPerSecond, language)}/s`;
}

/** Round trips: a tenth of a millisecond matters below ten only. */
export function formatMs(ms: number, language: string): string {
  return `${formatNumber(ms, language, ms < 9.95 ? 1 : 0)} ms`;
}

const SPANS = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1_000, 'second'],
] as const;

const agos = new Map<string, Intl.RelativeTimeFormat>();
/** How long ago, in the largest whole unit: `12 sec. ago`. */
export function formatAgo(ms: number, language: string): string {
  let format = agos.get(language);
  if (!format) {
    format = new Intl.RelativeTimeFormat(language, { style: 'short', numeric: 'auto' });
    agos.set(language, format);
  }
  for (const [length, unit] of SPANS)
    if (ms >= length) return format.format(-Math.floor(ms / length), unit);
  return format.format(0, 'second');
}

const clocks = new Map<string, Intl.DateTimeFormat>();
/** Time of day to the second. */
export function formatClock(at: number, language: string): string {
  let format = clocks.get(language);
  if (!format) {
    format = new Intl.DateTimeFormat(language, {
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
    });
    clocks.set(language, format);
  }
  return format.format(at);
}
