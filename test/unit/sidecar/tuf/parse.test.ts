import t from 'tap';
import { setAt, type Draft, type DraftObject } from '../../../support/trust/draft.ts';
import { makeKey } from '../../../support/trust/key.ts';
import { buildRepository, entry, RELEASES } from '../../../support/trust/repository.ts';
import { failure, verifyWhole } from '../support/trust/verification.ts';

const A = 'a1'.repeat(32);

t.test('a bad repository is refused', async (t) => {
  const key = makeKey();

  t.test('malformed files, with the place', async (t) => {
    const keyed = `delegations.keys.${key.id}`;
    const table: readonly (readonly [
      role: string,
      path: string,
      value: Draft | undefined,
      message: RegExp,
    ])[] = [
      ['root', '_type', 'Targets', /root.json: signed._type is not "Root"/],
      ['root', 'version', 0, /root.json: signed.version is not an integer of at least 1/],
      ['root', 'version', '1', /signed.version/],
      ['root', 'version', 1.5, /signed.version/],
      ['root', 'version', undefined, /signed.version/],
      ['root', 'version', 2 ** 63, /signed.version/],
      ['root', 'expires', 'tomorrow', /signed.expires is not an RFC 3339 time/],
      ['root', 'expires', '2030', /signed.expires/],
      ['root', 'expires', '2030-13-45T00:00:00Z', /signed.expires/],
      ['root', 'expires', 1, /signed.expires is not a string/],
      ['root', 'keys', [], /signed.keys is not an object/],
      ['root', 'keys.abc', null, /signed.keys.abc is not an object/],
      [
        'root',
        'keys.abc',
        { keyval: { private: null, public: '' } },
        /signed.keys.abc.keytype is not a string/,
      ],
      ['root', 'keys.abc', { keytype: 'rsa' }, /signed.keys.abc.keyval is not an object/],
      [
        'root',
        'keys.abc',
        { keytype: 'rsa', keyval: { private: null, public: 5 } },
        /keyval.public is not a string/,
      ],
      ['root', 'roles', undefined, /signed.roles is not an object/],
      ['root', 'roles.root', 5, /signed.roles.root is not an object/],
      [
        'root',
        'roles.root.threshold',
        0,
        /signed.roles.root.threshold is not an integer of at least 1/,
      ],
      ['root', 'roles.targets.threshold', '1', /signed.roles.targets.threshold/],
      ['root', 'roles.root.keyids', {}, /signed.roles.root.keyids is not a list/],
      ['root', 'roles.root.keyids', [1], /signed.roles.root.keyids\[0\] is not a string/],
      ['root', 'roles.root', undefined, /root.json names no keys for root/],
      ['root', 'roles.timestamp', undefined, /root.json names no keys for timestamp/],
      ['root', 'roles.snapshot', undefined, /root.json names no keys for snapshot/],
      ['root', 'roles.targets', undefined, /root.json names no keys for targets/],
      ['timestamp', '_type', 'Snapshot', /timestamp.json: signed._type/],
      ['timestamp', 'meta', null, /signed.meta is not an object/],
      ['timestamp', 'meta.snapshot', undefined, /signed.meta.snapshot is not an object/],
      ['timestamp', 'meta.snapshot.hashes', [], /signed.meta.snapshot.hashes is not an object/],
      ['timestamp', 'meta.snapshot.hashes.sha256', 5, /hashes.sha256 is not a string/],
      ['timestamp', 'meta.snapshot.length', -1, /length is not an integer of at least 0/],
      ['snapshot', '_type', 'snapshot', /snapshot.json: signed._type/],
      ['snapshot', 'meta', [], /signed.meta is not an object/],
      ['snapshot', 'meta.root.length', null, /signed.meta\["root"\].length/],
      ['targets', '_type', undefined, /targets.json: signed._type/],
      ['targets', 'delegations', undefined, /signed.delegations is not an object/],
      ['targets', 'delegations.keys', [], /signed.delegations.keys is not an object/],
      ['targets', 'delegations.roles', {}, /signed.delegations.roles is not a list/],
      ['targets', `${keyed}.keyval`, [], /keyval is not an object/],
      ['targets', 'delegations.roles.0', 'x', /signed.delegations.roles\[0\] is not an object/],
      ['targets', 'delegations.roles.0.name', 5, /roles\[0\].name is not a string/],
      ['targets', 'delegations.roles.0.paths', 'v', /roles\[0\].paths is not a list/],
      ['targets', 'delegations.roles.0.paths', null, /roles\[0\].paths is not a list/],
      [
        'targets',
        'delegations.roles.0.paths',
        [''.concat('v'), 1],
        /roles\[0\].paths\[1\] is not a string/,
      ],
      ['targets', 'delegations.roles.0.threshold', undefined, /roles\[0\].threshold/],
      ['targets', 'delegations.roles.0.keyids', undefined, /roles\[0\].keyids is not a list/],
      ['targets', 'targets', [], /signed.targets is not an object/],
      ['targets', 'targets.v1', 5, /signed.targets\["v1"\] is not an object/],
      ['targets', 'targets.v1.hashes', null, /signed.targets\["v1"\].hashes is not an object/],
      ['targets', 'targets.v1.length', 1.5, /signed.targets\["v1"\].length/],
      [
        'targets',
        'targets.v1.custom',
        { ratio: 0.5 },
        /targets.json: 0.5 is not an integer that canonical JSON can hold/,
      ],
      [
        'targets/releases',
        '_type',
        'Releases',
        /targets\/releases.json: signed._type is not "Targets"/,
      ],
    ];
    const options = {
      targets: { v1: entry(A, 1) },
      delegations: [{ name: RELEASES, keys: [key], targets: {} }],
    };
    for (const [role, path, value, message] of table) {
      const edit = { [role]: (signed: DraftObject) => setAt(signed, path, value) };
      const error = failure(() => verifyWhole(buildRepository({ ...options, edit })));
      t.equal(error.code, 'METADATA_INVALID', `${role} ${path}`);
      t.match(error.message, message, `${role} ${path}`);
    }
    const envelopes: readonly (readonly [
      path: string,
      value: Draft | undefined,
      message: RegExp,
    ])[] = [
      ['signed', undefined, /signed is not an object/],
      ['signed', [], /signed is not an object/],
      ['signed', 'text', /signed is not an object/],
      ['signatures', undefined, /signatures is not a list/],
      ['signatures', {}, /signatures is not a list/],
      ['signatures.0', 'x', /signatures\[0\] is not an object/],
      ['signatures.0.keyid', undefined, /signatures\[0\].keyid is not a string/],
      ['signatures.0.method', null, /signatures\[0\].method is not a string/],
      ['signatures.0.sig', 5, /signatures\[0\].sig is not a string/],
    ];
    for (const role of ['root', 'timestamp', 'snapshot', 'targets', 'targets/releases']) {
      for (const [path, value, message] of envelopes) {
        const editFile = { [role]: (file: DraftObject) => setAt(file, path, value) };
        const error = failure(() => verifyWhole(buildRepository({ ...options, editFile })));
        t.equal(error.code, 'METADATA_INVALID', `${role} ${path}`);
        t.match(error.message, message, `${role} ${path}`);
        t.ok(error.message.startsWith(`${role}.json: `), `${role} ${path}`);
      }
      const texts = ['', '<html>', '{"signed":', 'null', '[]', '"a"', '7', '\ufeff', '{"a":"\n"}'];
      for (const content of [
        ...texts.map((text) => Buffer.from(text)),
        Buffer.from('7b22ff223a317d', 'hex'),
      ]) {
        const editBytes = { [role]: () => content };
        const error = failure(() => verifyWhole(buildRepository({ ...options, editBytes })));
        t.equal(error.code, 'METADATA_INVALID', `${role} ${content.toString()}`);
        t.match(error.message, /^[a-z/]+.json(: \$ is not an object| is not JSON)$/);
      }
    }
  });
});
