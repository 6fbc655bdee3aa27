import t from 'tap';
import { parseDuration } from '../../../src/shared/duration.ts';

t.test('a duration', async (t) => {
  t.test('is in hours, minutes and seconds', async (t) => {
    for (const [text, milliseconds] of [
      ['8760h', 8760 * 3_600_000],
      ['1h30m', 5_400_000],
      ['90s', 90_000],
      ['2m', 120_000],
      ['1h2m3s', 3_723_000],
    ] as const) {
      t.equal(parseDuration(text), milliseconds, text);
    }
  });
  t.test('is nothing else', async (t) => {
    const texts = ['', '0h', '1d', '1', 'h', '-1h', '1.5h', '1m1h', ' 1h', '1h ', '1H', '878401h'];
    for (const text of [...texts, '1000000000h', `${'9'.repeat(500)}h`]) {
      t.equal(parseDuration(text), undefined, text.slice(0, 20));
    }
  });
});
