import t from 'tap';
import {
  parseDockerConfig,
  type DockerConfigForm,
} from '../../../../src/sidecar/auth/docker-config.ts';

const FILE = '/d/.dockerconfigjson';
const base64 = (text: string) => Buffer.from(text).toString('base64');
const parse = (value: unknown, form: DockerConfigForm = '.dockerconfigjson') =>
  parseDockerConfig(typeof value === 'string' ? value : JSON.stringify(value), form, FILE);

t.test('a docker configuration', async (t) => {
  t.test('names credentials in each way that docker writes them', async (t) => {
    const robot = { kind: 'basic', username: 'robot', password: 'pass' };
    const token = { kind: 'identity-token', token: 'idt' };
    const cases: readonly (readonly [entry: object, login: object])[] = [
      [{ auth: base64('robot:pass') }, robot],
      [{ auth: base64('robot:pass').replace('==', '') }, robot],
      [{ auth: base64('robot:passe').replace('=', '') }, { ...robot, password: 'passe' }],
      [{ auth: `${base64('robot:pass').slice(0, 4)}\n${base64('robot:pass').slice(4)}\n` }, robot],
      [{ auth: base64('robot:p:a:ss') }, { ...robot, password: 'p:a:ss' }],
      [{ auth: base64('robot:') }, { ...robot, password: '' }],
      [{ auth: base64('röbot:pässe') }, { ...robot, username: 'röbot', password: 'pässe' }],
      [{ username: 'robot', password: 'pass', email: 'x@y.test' }, robot],
      [{ username: 'robot' }, { ...robot, password: '' }],
      [{ auth: base64('robot:pass'), username: 'other', password: 'other' }, robot],
      [{ auth: '', username: 'robot', password: 'pass' }, robot],
      [{ identitytoken: 'idt' }, token],
      [{ identitytoken: 'idt', auth: base64('0000:') }, token],
      [{ auth: base64('<token>:idt') }, token],
    ];
    for (const [entry, login] of cases) {
      const expected = [{ pattern: { host: 'h.test', path: '' }, login }];
      t.same(parse({ auths: { 'h.test': entry } }).entries, expected, JSON.stringify(entry));
      t.same(parse({ 'h.test': entry }, '.dockercfg').entries, expected, 'the older form');
    }
  });

  t.test('has its entries in order, by host and path', async (t) => {
    const auth = base64('robot:pass');
    const { entries } = parse({
      auths: {
        'https://index.docker.io/v1/': { auth },
        'https://gcr.io': { auth },
        'r.test:5000': { auth },
        'r.test/team': { auth },
        'no host': { auth },
      },
      HttpHeaders: { a: 'b' },
    });
    t.same(
      entries.map(({ pattern }) => `${pattern.host}/${pattern.path}`),
      ['docker.io/', 'gcr.io/', 'r.test:5000/', 'r.test/team'],
    );
  });

  t.test('may leave credentials to programs', async (t) => {
    const auths = { 'h.test': {}, 'i.test': { auth: '' } };
    t.same(parse({ auths }), { entries: [], hasStore: false });
    t.same(parse({}), { entries: [], hasStore: false });
    const robot = { 'gcr.io': { username: 'robot' } };
    const { entries } = parse({
      credHelpers: { 'https://gcr.io': 'gcloud', 'h.test': 'other', 'no host': 'x' },
      auths: robot,
    });
    const problem = 'names a credential helper, which is not here';
    t.match(entries, [
      { pattern: { host: 'gcr.io' }, login: { username: 'robot' } },
      { pattern: { host: 'gcr.io' }, problem },
      { pattern: { host: 'h.test' }, problem },
    ]);
    t.equal(entries.length, 3);
    for (const credHelpers of [null, 'x', [], {}]) t.same(parse({ credHelpers }).entries, []);
    t.equal(parse({ credsStore: 'desktop' }).hasStore, true);
    t.equal(parse({ credsStore: '' }).hasStore, false);
    t.equal(parse({ credsStore: { auth: '' } }, '.dockercfg').hasStore, false, 'a host there');
  });

  t.test('tells which entries cannot be used', async (t) => {
    const cases: readonly (readonly [entry: unknown, problem: string])[] = [
      [5, 'is not an object'],
      [null, 'is not an object'],
      [[], 'is not an object'],
      ['secret', 'is not an object'],
      [{ auth: 5 }, 'holds credentials that are not text'],
      [{ username: 'robot', password: ['secret'] }, 'holds credentials that are not text'],
      [{ identitytoken: {} }, 'holds credentials that are not text'],
      [{ auth: 'secret!' }, 'has an auth that is not base64 of user:password'],
      [{ auth: base64('robot:pass').slice(1) }, 'has an auth that is not base64 of user:password'],
      [{ auth: base64('secret') }, 'has an auth that is not base64 of user:password'],
      [{ auth: base64(':secret') }, 'has an auth that is not base64 of user:password'],
    ];
    for (const [entry, problem] of cases) {
      const other = { auth: base64('robot:pass') };
      const { entries } = parse({ auths: { 'h.test': entry, 'i.test': other } });
      t.same(entries[0], { pattern: { host: 'h.test', path: '' }, problem }, JSON.stringify(entry));
      t.match(entries[1], { pattern: { host: 'i.test' }, login: { username: 'robot' } });
    }
  });

  t.test('that is none is refused, without what it holds', async (t) => {
    for (const value of ['', 'secret', '{"auths":', '[]', '5', 'null', '"secret"']) {
      t.throws(
        () => parse(value),
        { code: 'CREDENTIALS_INVALID', message: `${FILE} is not a JSON object` },
        value,
      );
    }
    for (const auths of [[], 'secret', 5]) {
      t.throws(() => parse({ auths }), {
        code: 'CREDENTIALS_INVALID',
        message: `auths in ${FILE} is not an object`,
      });
    }
  });
});
