import fc from 'fast-check';
import t from 'tap';
import { copyJson } from '../../src/webhook/json-copy.ts';

t.test('a copy is the same JSON, and shares nothing', (t) => {
  const isApart = (a: unknown, b: unknown): boolean =>
    typeof a !== 'object' ||
    a === null ||
    (a !== b &&
      Object.keys(a).every((name) =>
        isApart((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name]),
      ));
  fc.assert(
    fc.property(fc.json(), (text) => {
      const value = JSON.parse(text) as unknown;
      const copy = copyJson(value);
      return JSON.stringify(copy) === JSON.stringify(value) && isApart(value, copy);
    }),
  );
  t.end();
});

t.test('a key that is the name of the prototype is a key like others', (t) => {
  const text = '{"a":{"__proto__":{"x":[1]},"constructor":{"prototype":{"y":2}}}}';
  const copy = copyJson(JSON.parse(text) as { a: { x?: unknown } });
  t.equal(JSON.stringify(copy), text);
  t.equal(copy.a.x, undefined);
  t.equal(({} as { y?: unknown }).y, undefined);
  t.end();
});
