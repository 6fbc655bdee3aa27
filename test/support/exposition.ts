/** The text format of Prometheus, read strictly. https://prometheus.io/docs/instrumenting/exposition_formats/ */

/** One value of one series. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([^{ ]+)(?:\{(.*)\})? (\S+)(?: -?\d+)?$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/gy;
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];

/** @throws Error with the line that breaks the format or a naming rule */
export function parseExposition(text: string): readonly Sample[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const types = new Map<string, string>();
  const series = new Set<string>();
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword === 'TYPE') {
      demand(TYPES.includes(rest) && !types.has(name) && NAME.test(name), line);
      demand(rest !== 'counter' || name.endsWith('_total'), line);
      types.set(name, rest);
    } else if (keyword === undefined && line !== '') {
      const sample = parseSample(line);
      demand(
        types.has(sample.name.replace(/_(bucket|sum|count)$/, '')) || types.has(sample.name),
        line,
      );
      const key = line.slice(0, line.lastIndexOf(' '));
      demand(!series.has(key), line);
      series.add(key);
      samples.push(sample);
    }
  }
  return samples;
}

function parseSample(line: string): Sample {
  const [, name = '', inside = '', value = ''] = SAMPLE.exec(line) ?? [];
  const found = [...inside.matchAll(LABEL)];
  const length = found.reduce((sum, [whole]) => sum + whole.length, 0);
  demand(NAME.test(name) && length === inside.length, line);
  const number = value === '+Inf' ? Infinity : value === 'Nan' ? NaN : Number(value);
  demand(value === 'Nan' || !Number.isNaN(number), line);
  return {
    name,
    labels: Object.fromEntries(found.map(([, label = '', text = '']) => [label, text])),
    value: number,
  };
}

function demand(condition: boolean, line: string): void {
  if (!condition) throw new Error(`not the text format of Prometheus: ${line}`);
}
