/** A measurement, and how it is shown. */
import { ratio, summarize, type Summary } from './statistics.ts';

/** One of the things compared. */
export interface Subject {
  readonly name: string;
  /** What was run, in words. */
  readonly what: string;
  /** A value a round. */
  readonly values: readonly number[];
}

/** Subjects that were measured in the same rounds. */
export interface Measurement {
  readonly title: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  readonly subjects: readonly Subject[];
  /** Names of the subjects to divide: ours, then its baseline. */
  readonly ratios: readonly (readonly [string, string])[];
  /**
   * What is promised of medians, by the name of the subject or `ours / baseline`: the most where
   * lower is better, else the least.
   */
  readonly limits?: Readonly<Record<string, number>>;
}

const NAME_WIDTH = 35;
const MEDIAN_WIDTH = 9;
const SPREAD_WIDTH = 19;

/** The lines of a measurement: its subjects, then its ratios. */
export function tableOf(measurement: Measurement): string[] {
  const { title, unit, better, subjects, ratios, limits = {} } = measurement;
  const values = new Map(subjects.map((subject) => [subject.name, subject.values]));
  const valuesOf = (name: string): readonly number[] => {
    const found = values.get(name);
    if (found === undefined) throw new Error(`${title}: there is no subject ${name}`);
    return found;
  };
  const rounds = Math.min(...subjects.map((subject) => subject.values.length));
  return [
    `${title}: ${unit}, ${better} is better, ${rounds} rounds`,
    ...subjects.map(({ name, values, what }) =>
      row(name, summarize(values), figure, verdict(better, limits[name], summarize(values)) + what),
    ),
    ...ratios.map(([ours, baseline]) => {
      const name = `${ours} / ${baseline}`;
      const summary = ratio(valuesOf(ours), valuesOf(baseline));
      return row(name, summary, times, verdict(better, limits[name], summary));
    }),
  ];
}

/** Whether a promise was kept; empty where there is none. */
function verdict(
  better: Measurement['better'],
  limit: number | undefined,
  { median }: Summary,
): string {
  if (limit === undefined) return '';
  const isKept = better === 'lower' ? median <= limit : median >= limit;
  return `[at ${better === 'lower' ? 'most' : 'least'} ${limit}: ${isKept ? 'kept' : 'MISSED'}] `;
}

function row(
  name: string,
  { low, median, high }: Summary,
  show: (value: number) => string,
  what: string,
): string {
  const spread = `${show(low)} – ${show(high)}`;
  const columns = [
    name.padEnd(NAME_WIDTH),
    show(median).padStart(MEDIAN_WIDTH),
    spread.padStart(SPREAD_WIDTH),
    what && `  ${what}`,
  ];
  return `  ${columns.join(' ')}`.trimEnd();
}

/** Three digits, but no digit of a whole number left out. */
function figure(value: number): string {
  const decimals = 2 - Math.floor(Math.log10(Math.max(value, 0.001)));
  return value.toFixed(Math.max(decimals, 0));
}

function times(value: number): string {
  return `${figure(value)}×`;
}
