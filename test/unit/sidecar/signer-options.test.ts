import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { environmentName, readFlags } from '../../../src/shared/flags.ts';
import type { NotaryUrl } from '../../../src/shared/notary-url.ts';
import {
  formatSignerFlags,
  SIGNER_FLAGS,
  type SignerSettings,
  type TimestampSettings,
  type V1Settings,
  type V2Settings,
} from '../../../src/shared/signer-flags.ts';
import type { TimestampUrl } from '../../../src/shared/timestamp-url.ts';
import { parseSignerOptions, readOutputOptions } from '../../../src/sidecar/signer-options.ts';
import { runs } from '../../support/runs.ts';

const PIN = 'a'.repeat(64);

t.test('signer options', async (t) => {
  const needed = ['--report=/r', '--notary-url=https://n.test', '--key-dir=/k'];

  t.test('have defaults', async (t) => {
    t.same(parseSignerOptions(readFlags(SIGNER_FLAGS, needed, {})), {
      source: { report: '/r' },
      signatures: {
        v1: {
          notaryUrl: 'https://n.test',
          keyDirectory: '/k',
          caFiles: [],
          rootPins: [],
          notaryCredentials: [],
        },
        v2: undefined,
      },
      registryCredentials: [],
      registryCaFiles: [],
      allowedTags: [],
      onFailure: 'fail',
      deadline: 300,
      dryRun: false,
      stepFiles: { waitFile: undefined, doneFile: undefined, errorFile: undefined },
    });
    t.same(readOutputOptions(readFlags(SIGNER_FLAGS, needed, {})), {
      terminationLog: undefined,
      receiptFile: undefined,
      logFormat: 'text',
      doneFile: undefined,
      errorFile: undefined,
    });
  });

  t.test('are read from every flag and its environment form', async (t) => {
    const values: Readonly<Record<Exclude<keyof typeof SIGNER_FLAGS, 'report'>, string>> = {
      tag: 'h.test/a:1',
      'notary-url': 'http://n.test:4443/x/',
      'key-dir': '/k',
      'ca-file': '/c',
      'root-pin': PIN,
      'notary-credentials': 'n.test:4443=/d=e',
      'registry-credentials': 'r.test:5000=/d=e',
      'registry-ca-file': '/rca',
      'v2-key-dir': '/k2',
      'v2-timestamp-url': 'http://tsa.test/tsr/',
      'v2-timestamp-ca-file': '/tca',
      'v2-expiry': '8760h',
      'v2-on-failure': 'warn',
      'allow-tag': 'h.test/a:1',
      'on-failure': 'warn',
      'termination-log': '/t',
      receipt: '/rc',
      deadline: '1.5',
      'wait-file': '/w',
      'done-file': '/d',
      'error-file': '/e',
      'log-format': 'json',
      'dry-run': 'false',
    };
    const expected = {
      source: { tags: ['h.test/a:1'] },
      signatures: {
        v1: {
          notaryUrl: 'http://n.test:4443/x',
          keyDirectory: '/k',
          caFiles: ['/c'],
          rootPins: [PIN],
          notaryCredentials: [{ host: 'n.test:4443', directory: '/d=e' }],
        },
        v2: {
          keyDirectory: '/k2',
          timestamp: { url: 'http://tsa.test/tsr/', caFile: '/tca' },
          expiry: '8760h',
          onFailure: 'warn',
        },
      },
      registryCaFiles: ['/rca'],
      registryCredentials: [{ host: 'r.test:5000', directory: '/d=e' }],
      allowedTags: ['h.test/a:1'],
      onFailure: 'warn',
      deadline: 1.5,
      dryRun: false,
      stepFiles: { waitFile: '/w', doneFile: '/d', errorFile: '/e' },
    };
    const outputs = {
      ...{ terminationLog: '/t', receiptFile: '/rc', logFormat: 'json' },
      ...{ doneFile: '/d', errorFile: '/e' },
    };
    const args = Object.entries(values).map(([name, value]) => `--${name}=${value}`);
    t.same(parseSignerOptions(readFlags(SIGNER_FLAGS, args, {})), expected);
    t.same(readOutputOptions(readFlags(SIGNER_FLAGS, [...args, '--unknown=x'], {})), outputs);
    const environment = Object.entries(values).map(([name, value]) => [
      environmentName(name),
      value,
    ]);
    const variables = Object.fromEntries(environment) as Record<string, string>;
    t.same(parseSignerOptions(readFlags(SIGNER_FLAGS, [], variables)), expected);
    t.same(readOutputOptions(readFlags(SIGNER_FLAGS, [], variables)), outputs);
  });

  t.test('a switch needs no value', async (t) => {
    t.equal(parseSignerOptions(readFlags(SIGNER_FLAGS, [...needed, '--dry-run'], {})).dryRun, true);
    t.equal(
      parseSignerOptions(readFlags(SIGNER_FLAGS, [...needed, '--dry-run=true'], {})).dryRun,
      true,
    );
    t.equal(
      parseSignerOptions(readFlags(SIGNER_FLAGS, [...needed, '--dry-run=true'], {})).dryRun,
      true,
    );
    t.equal(
      parseSignerOptions(readFlags(SIGNER_FLAGS, needed, { KPACK_NOTARY_DRY_RUN: 'true' })).dryRun,
      true,
    );
    t.equal(
      parseSignerOptions(readFlags(SIGNER_FLAGS, needed, { KPACK_NOTARY_DRY_RUN: 'false' })).dryRun,
      false,
    );
  });

  t.test('name a docker Secret by its directory, a basic-auth Secret with its host', async (t) => {
    const cases: readonly (readonly [
      value: string,
      host: string | undefined,
      directory: string,
    ])[] = [
      ['/d', undefined, '/d'],
      ['/d=e', undefined, '/d=e'],
      ['./d=e', undefined, './d=e'],
      ['d', undefined, 'd'],
      ['r.test=/d', 'r.test', '/d'],
      ['https://index.docker.io/v1/=/d', 'https://index.docker.io/v1/', '/d'],
    ];
    for (const [value, host, directory] of cases) {
      const options = parseSignerOptions(
        readFlags(SIGNER_FLAGS, [...needed, `--registry-credentials=${value}`], {}),
      );
      t.same(options.registryCredentials, [{ host, directory }], value);
    }
  });

  t.test('ask for v2 alone where no flag of v1 is given', async (t) => {
    const options = parseSignerOptions(
      readFlags(SIGNER_FLAGS, ['--report=/r', '--v2-key-dir=/k'], {}),
    );
    t.same(options.signatures, {
      v1: undefined,
      v2: { keyDirectory: '/k', timestamp: undefined, expiry: undefined, onFailure: 'fail' },
    });
  });

  t.test('that are wrong are refused in one message', async (t) => {
    const cases: readonly (readonly [args: readonly string[], problem: string])[] = [
      [[...needed, '--dry-run=yes'], '--dry-run is true or false'],
      [
        [...needed, '--dry-run', '--done-file=/d'],
        '--dry-run and --done-file exclude each other: the build would go on unsigned',
      ],
      [[...needed, '--root-pin=AB'], '--root-pin is a key id of 64 hex digits, not "AB"'],
      [needed.slice(1), '--report is missing, or --tag'],
      [[...needed, '--tag=a'], '--tag and --report exclude each other'],
      [[needed[0] ?? '', needed[2] ?? ''], '--notary-url is missing'],
      [needed.slice(0, 2), '--key-dir is missing'],
      [
        ['--report=/r', '--key-dir=/k', '--notary-url=n.test'],
        '--notary-url: "n.test", which has no scheme; expected an https URL without credentials, query or fragment',
      ],
      [['--report=/r', '--v2-expiry=1h'], '--v2-key-dir is missing'],
      [[...needed, '--v2-on-failure=warn'], '--v2-key-dir is missing'],
      [
        ['--report=/r', '--v2-key-dir=/k', '--ca-file=/c'],
        '--notary-url is missing; --key-dir is missing',
      ],
      [
        [...needed, '--v2-key-dir=/k', '--v2-expiry=1d'],
        '--v2-expiry is a duration in hours, minutes and seconds, above zero, such as 8760h, not "1d"',
      ],
      [
        [...needed, '--v2-key-dir=/k', '--v2-timestamp-url=https://t.test'],
        '--v2-timestamp-ca-file is missing',
      ],
      [
        [...needed, '--v2-key-dir=/k', '--v2-timestamp-ca-file=/c', '--v2-timestamp-url=t.test'],
        '--v2-timestamp-url: "t.test", which has no scheme; expected an http or https URL without credentials, query or fragment',
      ],
      [
        [...needed, '--v2-key-dir=/k', '--v2-on-failure=x'],
        '--v2-on-failure is fail or warn, not "x"',
      ],
      [[...needed, '--on-failure=ignore'], '--on-failure is fail or warn, not "ignore"'],
      [[...needed, '--log-format=xml'], '--log-format is text or json, not "xml"'],
      [[...needed, '--deadline=soon'], '--deadline is a number of seconds up to 86400'],
      [[...needed, '--deadline=0'], '--deadline is a number of seconds up to 86400'],
      [[...needed, '--deadline=-1'], '--deadline is a number of seconds up to 86400'],
      [[...needed, '--deadline=3000000'], '--deadline is a number of seconds up to 86400'],
      [[...needed, '--deadline=Infinity'], '--deadline is a number of seconds up to 86400'],
      [[...needed, '--notary-credentials=n.test'], '--notary-credentials is HOST=DIR'],
      [[...needed, '--notary-credentials==/d'], '--notary-credentials is HOST=DIR'],
      [[...needed, '--notary-credentials=n.test='], '--notary-credentials is HOST=DIR'],
      [[...needed, '--registry-credentials=r.test='], '--registry-credentials is HOST=DIR'],
      [[...needed, '--registry-credentials==/d'], '--registry-credentials is HOST=DIR'],
      [[...needed, '--root-pins=a'], 'unknown flag --root-pins; did you mean --root-pin?'],
      [
        ['--deadline=x', '--log-format=y'],
        '--report is missing, or --tag; --notary-url is missing; --key-dir is missing; --deadline is a number of seconds up to 86400; --log-format is text or json, not "y"',
      ],
    ];
    for (const [args, message] of cases) {
      t.throws(() => parseSignerOptions(readFlags(SIGNER_FLAGS, args, {})), {
        name: 'SigningError',
        code: 'OPTIONS_INVALID',
      });
      try {
        parseSignerOptions(readFlags(SIGNER_FLAGS, args, {}));
      } catch (error) {
        t.equal((error as Error).message, message);
      }
    }
  });

  t.test('come back as the webhook wrote them', async () => {
    const value = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.constantFrom('-', '--', '--tag=x', 'a=b', 'a\nb', ' ', '"'),
    );
    const values = fc.array(value, { maxLength: 3 });
    const url = fc
      .constantFrom('https://n.test', 'http://127.0.0.1:4443/x', 'https://[::1]/a=b')
      .map((text) => text as NotaryUrl);
    const record = <Model>(model: { [Key in keyof Model]: fc.Arbitrary<Model[Key]> }) =>
      fc.record(model, { noNullPrototype: true });
    const mounted = (host: fc.Arbitrary<string | undefined>) =>
      fc.array(record({ host, directory: value.map((path) => `/${path}`) }), { maxLength: 2 });
    const onFailure = fc.constantFrom('fail' as const, 'warn' as const);
    const v1 = record<V1Settings>({
      notaryUrl: url,
      keyDirectory: value,
      caFiles: values,
      rootPins: fc.array(fc.stringMatching(/^[0-9a-f]{64}$/), { maxLength: 2 }),
      notaryCredentials: mounted(fc.constantFrom('a', 'n.test:4443', '[::1]:1')),
    });
    const timestamp = record<TimestampSettings>({
      url: url.map((text) => text as string as TimestampUrl),
      caFile: value,
    });
    const v2 = record<V2Settings>({
      keyDirectory: value,
      timestamp: fc.option(timestamp, { nil: undefined }),
      expiry: fc.constantFrom(undefined, '1h', '8760h', '1h2m3s'),
      onFailure,
    });
    const settings = record<SignerSettings>({
      source: fc.oneof(
        value.map((report) => ({ report })),
        fc.array(value, { minLength: 1, maxLength: 3 }).map((tags) => ({ tags })),
      ),
      signatures: fc.oneof(
        record({ v1, v2: fc.option(v2, { nil: undefined }) }),
        record({ v1: fc.constant(undefined), v2 }),
      ),
      registryCredentials: mounted(
        fc.constantFrom(undefined, 'a', 'n.test:4443', 'https://[::1]:1/v1/'),
      ),
      registryCaFiles: values,
      allowedTags: values,
      onFailure,
    });
    fc.assert(
      fc.property(settings, (settings) => {
        const args = formatSignerFlags(settings, '/dev/termination-log');
        assert.deepEqual(parseSignerOptions(readFlags(SIGNER_FLAGS, args, {})), {
          ...{ ...settings, deadline: 300, dryRun: false },
          stepFiles: { waitFile: undefined, doneFile: undefined, errorFile: undefined },
        });
        assert.equal(
          readOutputOptions(readFlags(SIGNER_FLAGS, args, {})).terminationLog,
          '/dev/termination-log',
        );
      }),
      runs(300),
    );
  });
});
