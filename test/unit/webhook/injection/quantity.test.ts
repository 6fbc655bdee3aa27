import t from 'tap';
import { parseQuantity } from '../../../../src/webhook/injection/quantity.ts';

t.test('quantities are read as Kubernetes writes them', async (t) => {
  const cases: Record<string, number | undefined> = {
    '1': 1,
    '1000m': 1,
    '1.5': 1.5,
    '.5': 0.5,
    '1.': 1,
    '+1': 1,
    '-1': -1,
    '1e3': 1000,
    '1E3': 1000,
    '12e-1': 1.2,
    '1E': 1e18,
    '1Ei': 2 ** 60,
    '1u': 1e-6,
    '1n': 1e-9,
    '1k': 1000,
    '1Ki': 1024,
    '1M': 1e6,
    '1Mi': 2 ** 20,
    '1G': 1e9,
    '1Gi': 2 ** 30,
    '1T': 1e12,
    '1Ti': 2 ** 40,
    '1P': 1e15,
    '1Pi': 2 ** 50,
    '': undefined,
    '.': undefined,
    m: undefined,
    '1K': undefined,
    '1Mb': undefined,
    '1 Gi': undefined,
    '0x10': undefined,
    '1e': undefined,
    NaN: undefined,
    Infinity: undefined,
  };
  for (const [text, number] of Object.entries(cases)) t.equal(parseQuantity(text), number, text);
});
