import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { coversScopes, joinScopes, resourceName } from '../../src/sidecar/token-scope.ts';

t.test('scopes are joined, each resource and action once', (t) => {
  const cases: readonly (readonly [string[], string[], string[]])[] = [
    [[], [], []],
    [['repository:a:pull'], [], ['repository:a:pull']],
    [['repository:a:push,pull'], ['repository:a:pull'], ['repository:a:push,pull']],
    [['repository:a:pull'], ['repository:a:push,pull'], ['repository:a:pull,push']],
    [
      ['repository:h:5000/a:pull'],
      ['repository:h:pull'],
      ['repository:h:5000/a:pull', 'repository:h:pull'],
    ],
    [['repository:a:pull'], ['registry:catalog:*'], ['repository:a:pull', 'registry:catalog:*']],
  ];
  for (const [first, second, expected] of cases) t.same(joinScopes(first, second), expected);
  t.end();
});

t.test('what was asked for before is known', (t) => {
  t.ok(coversScopes(['repository:a:push,pull'], ['repository:a:pull']));
  t.ok(coversScopes(['repository:a:push,pull'], ['repository:a:pull,push']));
  t.ok(coversScopes(['repository:a:push,pull'], []));
  t.notOk(coversScopes(['repository:a:pull'], ['repository:a:push,pull']));
  t.notOk(coversScopes(['repository:a:pull'], ['repository:b:pull']));
  t.end();
});

t.test('a joined list covers both, and nothing is lost by joining again', (t) => {
  const name = fc.constantFrom('a', 'b', 'h:5000/a');
  const actions = fc.subarray(['pull', 'push', '*'], { minLength: 1 }).map((all) => all.join(','));
  const scope = fc.tuple(name, actions).map(([name, actions]) => `repository:${name}:${actions}`);
  const scopes = fc.array(scope, { maxLength: 5 });
  fc.assert(
    fc.property(scopes, scopes, (first, second) => {
      const joined = joinScopes(first, second);
      assert.ok(coversScopes(joined, first) && coversScopes(joined, second));
      assert.deepEqual(joinScopes(joined, joined), joined);
    }),
  );
  t.end();
});

t.test('a scope names its resource', (t) => {
  t.equal(resourceName('repository:h.test:5000/a/b:push,pull'), 'h.test:5000/a/b');
  t.end();
});
