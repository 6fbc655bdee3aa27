import t from 'tap';
import { formatScope } from '../../../../src/sidecar/auth/token-realm.ts';

t.test('a scope is of one repository, whose name may hold a port', async (t) => {
  const repository = 'h.test:5000/a/b';
  t.equal(formatScope({ repository, actions: 'pull' }), 'repository:h.test:5000/a/b:pull');
  t.equal(
    formatScope({ repository, actions: 'pull,push' }),
    'repository:h.test:5000/a/b:pull,push',
  );
  t.equal(
    formatScope({ repository, actions: 'push,pull' }),
    'repository:h.test:5000/a/b:push,pull',
  );
});
