import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { joinScopes, resourceName } from '../../src/sidecar/token-scope.ts';

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

t.test('a joined list asks for what either asks for, and for nothing else', (t) => {
  const name = fc.constantFrom('a', 'b', 'h:5000/a');
  const actions = fc.subarray(['pull', 'push', '*'], { minLength: 1 }).map((all) => all.join(','));
  const scope = fc.tuple(name, actions).map(([name, actions]) => `repository:${name}:${actions}`);
  const scopes = fc.array(scope, { maxLength: 5 });
  fc.assert(
    fc.property(scopes, scopes, (first, second) => {
      const rights = (list: readonly string[]) => list.flatMap(rightsOf);
      const joined = joinScopes(first, second);
      assert.deepEqual(new Set(rights(joined)), new Set(rights([...first, ...second])));
      assert.equal(new Set(rights(joined)).size, rights(joined).length, 'nothing twice');
    }),
  );
  t.end();
});

t.test('a scope names its resource', (t) => {
  t.equal(resourceName('repository:h.test:5000/a/b:push,pull'), 'h.test:5000/a/b');
  t.end();
});

function rightsOf(scope: string): readonly string[] {
  const [, resource = '', actions = ''] = /^(.*):([^:]*)$/.exec(scope) ?? [];
  return actions.split(',').map((action) => `${resource} ${action}`);
}
