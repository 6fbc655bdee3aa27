import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import {
  parseDockerConfig,
  type DockerConfigForm,
} from '../../../../src/sidecar/auth/docker-config.ts';
import { registryHost } from '../../../../src/shared/registry-host.ts';
import { runs } from '../../../support/runs.ts';

const CANARY = 'canary-secret';
const form = fc.constantFrom<DockerConfigForm>('.dockerconfigjson', '.dockercfg');
const host = fc.constantFrom(
  'h.test',
  'h.test:5000',
  'https://gcr.io',
  'docker.io',
  '__proto__',
  '',
);
const secret = fc.oneof(
  fc.string(),
  fc.string().map((text) => Buffer.from(`robot:${CANARY}${text}`).toString('base64')),
  fc.constant(CANARY),
  fc.jsonValue(),
);
const entry = fc.oneof(
  fc.jsonValue(),
  fc.dictionary(fc.constantFrom('auth', 'username', 'password', 'identitytoken', 'email'), secret),
);
const auths = fc.dictionary(fc.oneof(host, fc.string()), entry);

/** What a parser says to a text, and that its words hold no secret. */
function parse(text: string, of: DockerConfigForm) {
  try {
    return parseDockerConfig(text, of, '/d/file');
  } catch (error) {
    assert(error instanceof SigningError, String(error));
    assert.equal(error.code, 'CREDENTIALS_INVALID');
    assert(!error.message.includes(CANARY));
    return undefined;
  }
}

t.test('docker configurations', async (t) => {
  t.test('of any bytes are read, or refused as ours', async () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), form, (text, of) => {
        parse(text, of);
      }),
      runs(2000),
    );
  });

  t.test('of any shape give credentials of text, and problems that hold no secret', async () => {
    fc.assert(
      fc.property(auths, fc.jsonValue(), form, (auths, helpers, of) => {
        const whole = of === '.dockercfg' ? auths : { auths, credHelpers: helpers };
        for (const found of parse(JSON.stringify(whole), of)?.entries ?? []) {
          const { host } = found.pattern;
          assert.equal(registryHost(host), host, 'a host is its own normal form');
          if ('problem' in found) {
            assert(!found.problem.includes(CANARY));
            continue;
          }
          for (const value of Object.values(found.login)) assert.equal(typeof value, 'string');
        }
      }),
      runs(2000),
    );
  });

  t.test('of any user and password give them back', async () => {
    const user = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((text) => !text.includes(':') && text !== '<token>');
    fc.assert(
      fc.property(user, fc.string({ unit: 'grapheme' }), (username, password) => {
        const auth = Buffer.from(`${username}:${password}`).toString('base64');
        const unpadded = auth.replace(/=+$/, '');
        const texts = [{ auth }, { auth: unpadded }, { username, password }];
        for (const entry of texts) {
          const config = parse(JSON.stringify({ auths: { 'h.test': entry } }), '.dockerconfigjson');
          assert.deepEqual(config?.entries, [
            {
              pattern: { host: 'h.test', path: '' },
              login: { kind: 'basic', username, password },
            },
          ]);
        }
      }),
      runs(1000),
    );
  });

  t.test('that are long are read in no time', async (t) => {
    const start = performance.now();
    for (const auth of [
      'A'.repeat(1_000_000),
      `${'A'.repeat(1_000_000)}!`,
      '='.repeat(1_000_000),
    ]) {
      parse(JSON.stringify({ auths: { 'h.test': { auth } } }), '.dockerconfigjson');
      parse(JSON.stringify({ auths: { [auth]: {} } }), '.dockerconfigjson');
    }
    t.ok(performance.now() - start < 20_000);
  });
});
