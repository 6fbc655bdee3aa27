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
}

const NAME_WIDTH = 31;
const MEDIAN_WIDTH = 9;
const SPREAD_WIDTH = 19;

/** The lines of a measurement: its subjects, then its ratios. */
export function tableOf({ title, unit, better, subjects, ratios }: Measurement): string[] {
  const values = new Map(subjects.map((subject) => [subject.name, subject.values]));
  const valuesOf = (name: string): readonly number[] => {
    const found = values.get(name);
    if (found === undefined) throw new Error(`${title}: there is no subject ${name}`);
    return found;
  };
  const rounds = Math.min(...subjects.map((subject) => subject.values.length));
  return [
    `${title}: ${unit}, ${better} is better, ${rounds} rounds`,
    ...subjects.map((subject) =>
      row(subject.name, summarize(subject.values), figure, subject.what),
    ),
    ...ratios.map(([ours, baseline]) =>
      row(`${ours} / ${baseline}`, ratio(valuesOf(ours), valuesOf(baseline)), times, ''),
    ),
  ];
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
