import fc from 'fast-check';
import t from 'tap';
import {
  describeProblems,
  resolveNotaryConfig,
  type ConfigResolution,
} from '../../../../src/webhook/config/notary-config.ts';
import { readNotarySection } from '../../../../src/webhook/config/notary-section.ts';
import { isPlainHttp, parseNotaryUrl, serverHost } from '../../../../src/shared/notary-url.ts';
import type { ConfigSource } from '../../../../src/webhook/config/notary-field.ts';
import { runs } from '../../../support/runs.ts';

const P = 'notary.kpack.io/';
const URL = 'https://notary.example.com:4443';
const PIN = 'a1'.repeat(32);
const OTHER_PIN = 'b2'.repeat(32);

const image = (annotations: Record<string, unknown> = {}, section?: unknown): ConfigSource => ({
  kind: 'Image',
  name: 'app',
  labels: {},
  annotations,
  section,
});
const namespace = (annotations: Record<string, unknown> = {}): ConfigSource => ({
  kind: 'Namespace',
  name: 'apps',
  labels: {},
  annotations,
});
const section = { v1: { url: URL, secretRef: { name: 'key' } } };
const pair = (url = URL, secretRef = 'key') => ({
  [`${P}v1.url`]: url,
  [`${P}v1.secretRef`]: secretRef,
});

const read = ({ kind, name, labels, annotations, section }: ConfigSource) =>
  readNotarySection(kind, { metadata: { name, labels, annotations }, spec: { notary: section } });

/** A resolution in few words. */
const resolve = (object: ConfigSource, admin: ConfigSource) =>
  resolveNotaryConfig(read(object), read(admin));
function configOrKind(resolution: ConfigResolution): unknown {
  return resolution.kind === 'config' ? resolution.config : resolution.kind;
}

t.test('what is read of a URL is read again as the same', async () => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: false, withFragments: false }), (text) => {
      const url = parseNotaryUrl(text);
      if (typeof url !== 'string')
        return /%|@|\$[$(]|\/\/.*\/\/|\/\.{1,2}(\/|$)|[^a-z]\d+$/.test(text);
      return parseNotaryUrl(url) === url && !url.endsWith('/') && text.includes(serverHost(url));
    }),
    runs(300),
  );
});

t.test('host and scheme of a server', async (t) => {
  const read = (text: string) => {
    const url = parseNotaryUrl(text);
    if (typeof url !== 'string') throw new Error(url.problem);
    return [serverHost(url), isPlainHttp(url)];
  };
  t.same(read('https://notary.example.com:443/x'), ['notary.example.com', false]);
  t.same(read('https://notary.example.com:80'), ['notary.example.com:80', false]);
  t.same(read('HTTP://notary.example.com:80'), ['notary.example.com', true]);
});

t.test('no value, of whatever type, is thrown at', async (t) => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.dictionary(
        fc.oneof(
          fc
            .constantFrom('v1.url', 'v1.secretRef', 'signing', 'on-failure', 'v1.rootPin', 'x')
            .map((name) => P + name),
          fc.string(),
        ),
        fc.string(),
      ),
      (value, annotations) => {
        const section = read(image(annotations, value));
        // A unit is whole, or something is wrong, or nothing was said.
        const saysNothing =
          value === null && !Object.keys(annotations).some((it) => it.startsWith(P));
        t.equal(section.isEmpty, saysNothing);
        if (section.v1 === undefined && value !== null) t.ok(section.problems.length > 0);
        for (const v1 of [{ url: value }, { secretRef: value }, { url: URL, secretRef: value }]) {
          read(image(annotations, { v1 }));
        }
      },
    ),
    { numRuns: 200 },
  );
});

t.test('whether anything is said', async (t) => {
  t.equal(read(image()).isEmpty, true);
  t.equal(read(image({ other: 'x', 'kpack.io/notary.v1': 'x' }, null)).isEmpty, true);
  for (const source of [
    image({}, section),
    image({}, {}),
    image({}, 0),
    image({}, ''),
    image({ [`${P}on-failure`]: 'fail' }),
    image({ [`${P}nonsense`]: '' }),
    image({ [`${P}signing`]: 'disabled' }),
  ]) {
    t.equal(read(source).isEmpty, false, JSON.stringify(source));
  }
});

t.test('a section and annotations that say the same', async (t) => {
  const unit = { url: URL, secretName: 'key', caSecretName: undefined };
  for (const source of [
    image({}, section),
    image(pair()),
    namespace(pair()),
    image(pair(`${URL}/`), section),
    image({ [`${P}v1.secretRef`]: 'key' }, section),
    image({ [`${P}v1.url`]: URL }, section),
  ]) {
    const { problems, warnings, ...others } = read(source);
    t.same(others.v1, unit, JSON.stringify(source));
    t.same([...problems, ...warnings], []);
  }
  const withCa = { ...pair(), [`${P}v1.caSecretRef`]: 'ca' };
  t.equal(read(image(withCa)).v1?.caSecretName, 'ca');
  t.equal(read(image({ [`${P}v1.caSecretRef`]: 'ca' }, section)).v1?.caSecretName, 'ca');
});

t.test('a section of a Namespace is none', async (t) => {
  const resolution = resolve(image(), { ...namespace(), section: undefined });
  t.equal(configOrKind(resolution), 'none');
});

t.test('which level decides', async (t) => {
  const v1 = { url: URL, secretName: 'key', caSecretName: undefined, rootPins: [] };
  const config = { v1, v2: undefined, registryCaSecretName: undefined, onFailure: 'fail' };
  const admin = pair('https://admin.example.com', 'admin');
  const adminCa = { ...admin, [`${P}v1.caSecretRef`]: 'admin-ca', [`${P}v1.rootPin`]: PIN };
  const cases: readonly (readonly [what: string, ConfigSource, ConfigSource, unknown])[] = [
    ['nobody', image(), namespace(), 'none'],
    ['settings without a server', image({ [`${P}on-failure`]: 'warn' }), namespace(), 'none'],
    ['the section', image({}, section), namespace(admin), config],
    ['annotations', image(pair()), namespace(admin), config],
    [
      'the admin',
      image(),
      namespace(adminCa),
      {
        ...config,
        v1: {
          url: 'https://admin.example.com',
          secretName: 'admin',
          caSecretName: 'admin-ca',
          rootPins: [PIN],
        },
      },
    ],
    [
      "the admin's pins hold for others' servers",
      image(pair()),
      namespace(adminCa),
      { ...config, v1: { ...v1, rootPins: [PIN] } },
    ],
    ['opt-out', image({ ...pair(), [`${P}signing`]: 'disabled' }), namespace(admin), 'opted-out'],
    ['opt-out of nothing', image({ [`${P}signing`]: 'disabled' }), namespace(), 'opted-out'],
    [
      'opt-out, with a pin that the admin does not allow',
      image({ [`${P}v1.rootPin`]: OTHER_PIN, [`${P}signing`]: 'disabled' }),
      namespace(adminCa),
      'invalid',
    ],
    ['a malformed opt-out', image({ [`${P}signing`]: 'off' }), namespace(admin), 'invalid'],
    ['a malformed Image', image({}, {}), namespace(admin), 'invalid'],
    ['a malformed Namespace', image(pair()), namespace({ [`${P}v1.url`]: 'x' }), 'invalid'],
    ['half a unit here, half there', image({ [`${P}v1.url`]: URL }), namespace(admin), 'invalid'],
    [
      'pins that exclude each other',
      image({ ...pair(), [`${P}v1.rootPin`]: OTHER_PIN }),
      namespace(adminCa),
      'invalid',
    ],
  ];
  for (const [what, object, admin, expected] of cases) {
    t.same(configOrKind(resolve(object, admin)), expected, what);
  }
});

t.test('pins are trimmed, and kept in order', async (t) => {
  const source = image({ ...pair(), [`${P}v1.rootPin`]: ` ${OTHER_PIN} ,\n${PIN}` });
  t.same(read(source).rootPins, [OTHER_PIN, PIN]);
});

t.test('what an admin demands is kept, whatever an Image says', async () => {
  const pins = fc.uniqueArray(
    fc.integer({ min: 0, max: 5 }).map((n) => `${n}`.repeat(64)),
    {
      minLength: 1,
    },
  );
  const mode = fc.constantFrom('fail', 'warn');
  const say = (pins: readonly string[] | undefined, mode: string | undefined) => ({
    ...(pins && { [`${P}v1.rootPin`]: pins.join(',') }),
    ...(mode && { [`${P}on-failure`]: mode }),
  });
  const optional = { nil: undefined };
  fc.assert(
    fc.property(
      fc.option(pins, optional),
      fc.option(mode, optional),
      fc.option(pins, optional),
      fc.option(mode, optional),
      (adminPins, adminMode, ownPins, ownMode) => {
        const resolution = resolve(
          image({ ...pair(), ...say(ownPins, ownMode) }),
          namespace(say(adminPins, adminMode)),
        );
        if (resolution.kind !== 'config') {
          return adminPins?.every((pin) => !ownPins?.includes(pin)) ?? false;
        }
        const { v1, onFailure } = resolution.config;
        const rootPins = v1?.rootPins ?? [];
        const isPinned = !adminPins || rootPins.every((pin) => adminPins.includes(pin));
        const isNotUnpinned = rootPins.length > 0 || (!adminPins && !ownPins);
        return isPinned && isNotUnpinned && !(adminMode === 'fail' && onFailure === 'warn');
      },
    ),
    runs(500),
  );
});

t.test('problems are told with field, object, what was found and what is expected', async (t) => {
  const { problems } = read(image({ [`${P}v1.ulr`]: URL }, { v1: { url: 5 } }));
  t.equal(
    describeProblems(problems),
    [
      `(1) metadata.annotations[${P}v1.ulr] of Image app: found an unknown annotation; expected ${P}v1.url (did you mean that?), for example ${P}v1.url: https://notary.example.com:4443`,
      '(2) spec.notary.v1.url of Image app: found 5; expected an https URL, for example https://notary.example.com:4443',
      '(3) spec.notary.v1.secretRef of Image app: found nothing; expected an object with name, for example {name: notary-signing}',
    ].join('; '),
  );
  const { problems: long } = read(image({}, 'x'.repeat(5000)));
  t.ok(describeProblems(long).length < 400, 'values are cut');
});
