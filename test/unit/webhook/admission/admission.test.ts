import t from 'tap';
import { admissionReview } from '../../../bed/webhook.ts';
import {
  buildFixture,
  P,
  section,
  setSection,
  signingNamespace,
} from '../../../support/build-fixture.ts';
import { inject } from '../../../support/asking.ts';
import { objectThatSays } from '../../../support/notary-rule.ts';
import { post, review, serveBuild } from '../../../support/served.ts';

t.test('a patch, a refusal and a pass have the form that the API server reads', async (t) => {
  const given = buildFixture();
  const app = serveBuild(t, given);
  const mutated = await review(t, app, 'mutate', { object: given.pod });
  t.match(mutated, { allowed: true, patchType: 'JSONPatch', status: undefined });
  t.ok(Array.isArray(JSON.parse(Buffer.from(mutated.patch ?? '', 'base64').toString())));

  const missing = await review(t, app, 'validate', { object: given.pod });
  t.match(missing, {
    allowed: false,
    status: { status: 'Failure', code: 503, reason: 'ServiceUnavailable' },
  });
  t.notOk(missing.patch ?? missing.patchType);

  const stranger = await review(t, app, 'mutate', { object: given.pod, username: 'x' });
  t.match(stranger, {
    allowed: false,
    status: { status: 'Failure', code: 422, reason: 'Invalid' },
  });

  const passed = await review(t, app, 'validate', { object: await inject(given) });
  t.same(Object.keys(passed).sort(), ['allowed', 'uid']);
});

t.test('what is no review is refused with a review, and the server lives on', async (t) => {
  const given = buildFixture();
  const app = serveBuild(t, given);
  const whole = admissionReview({ object: given.pod }) as { request: Record<string, unknown> };
  const { request } = whole;
  const bodies: Record<string, unknown> = {
    'an object': {},
    'a list': [],
    null: null,
    'a text': 'x',
    'a number': 1,
    'a pod': given.pod,
    'another version': { ...whole, apiVersion: 'admission.k8s.io/v1beta1' },
    'another kind': { ...whole, kind: 'ConversionReview' },
    'no request': { ...whole, request: undefined },
    'request: a list': { ...whole, request: [] },
    'no uid': { ...whole, request: { ...request, uid: undefined } },
    'uid: a number': { ...whole, request: { ...request, uid: 5 } },
    'no kind': { ...whole, request: { ...request, kind: undefined } },
    'kind: a text': { ...whole, request: { ...request, kind: 'Pod' } },
    'no operation': { ...whole, request: { ...request, operation: undefined } },
    'no user': { ...whole, request: { ...request, userInfo: undefined } },
    'namespace: a number': { ...whole, request: { ...request, namespace: 5 } },
  };
  for (const [what, body] of Object.entries(bodies)) {
    for (const path of ['/mutate', '/validate']) {
      const answer = await post(app, path, JSON.stringify(body));
      // With a uid the API server reads our answer, and shows the reason; else it needs a status.
      const isAddressed = answer.body.response?.uid === request['uid'];
      t.equal(answer.status, isAddressed ? 200 : 400, what);
      t.match(answer.body, { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' });
      t.match(answer.body.response, {
        allowed: false,
        status: { code: 400, reason: 'BadRequest', message: /^kpack-notary REVIEW_INVALID: / },
      });
      t.type(answer.body.response?.uid, 'string');
    }
  }
  await review(t, app, 'mutate', { object: given.pod });
});

t.test('a review that lacks something is answered under its uid', async (t) => {
  const given = buildFixture();
  const app = serveBuild(t, given);
  const whole = admissionReview({ object: given.pod }) as { request: Record<string, unknown> };
  for (const member of ['kind', 'operation', 'userInfo']) {
    const request = { ...whole.request, [member]: undefined };
    const { body } = await post(app, '/mutate', { ...whole, request });
    t.equal(body.response?.uid, whole.request['uid'], `without ${member}`);
  }
});

t.test('no sub-resource is also one without a name', async (t) => {
  const given = buildFixture();
  const nameless = (request: Record<string, unknown>) => (request['subResource'] = '');
  const app = serveBuild(t, given);
  t.ok((await review(t, app, 'mutate', { object: given.pod }, nameless)).patch);
});

t.test('warnings are few and short, and say at their end that they were cut', async (t) => {
  const given = buildFixture();
  const url = `http://notary.example.com/${'long/'.repeat(100)}end`;
  setSection(given, section(url));
  const app = serveBuild(t, given);
  const { warnings = [] } = await review(t, app, 'mutate', { object: given.pod });
  t.ok(warnings.length >= 2);
  for (const warning of warnings) {
    t.ok(warning.length <= 256, `${warning.length} characters`);
    t.match(warning, /^kpack-notary: /);
    t.notMatch(warning, /…$/, 'with the fix at its end');
  }

  const labels = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`${P}x${i}`, '']));
  const image = objectThatSays('Image', 'kpack.io/v1alpha2', { notary: section(), labels });
  const told = await review(t, app, 'validate', { object: image, username: 'developer' });
  t.equal(told.warnings?.length, 16, 'as many as the API server passes on');

  const audited = buildFixture('v0.17.2/02-notary', signingNamespace('audit'));
  setSection(audited, {
    v1: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`x${i}`, 1])),
  });
  const response = await review(t, serveBuild(t, audited), 'mutate', { object: audited.pod });
  t.equal(response.allowed, true);
  for (const warning of response.warnings ?? []) t.ok(warning.length <= 256);
  t.ok(response.warnings?.some((warning) => warning.length === 256 && warning.endsWith('…')));
});
