import t from 'tap';
import type { Pod } from '../../../../src/webhook/build-pod/build-pod.ts';
import { draftOf } from '../../../../src/webhook/build-pod/pod-draft.ts';

t.test('a draft says what the pod says, whatever is in it', async (t) => {
  const text =
    '{"kind":"Pod","__proto__":{"x":1},"metadata":{"annotations":{"__proto__":"y"}},' +
    '"spec":{"containers":[{"name":"a","args":null,"__proto__":{"z":2}}],' +
    '"initContainers":null,"volumes":[{"name":"v","constructor":{"prototype":{}}}]}}';
  const draft = draftOf(JSON.parse(text) as Pod, ['a']);
  t.equal(JSON.stringify(draft), text);
  t.equal((draft as { x?: unknown }).x, undefined, 'a key like others');
});

t.test('what a draft is changed in is its own', async (t) => {
  const pod = (): Pod => ({
    kind: 'Pod',
    metadata: { annotations: { a: '1' } },
    spec: {
      volumes: [{ name: 'keys', secret: {} }],
      containers: [{ name: 'completion', args: ['a'], env: [], volumeMounts: [] }],
      initContainers: [{ name: 'export', args: ['a'], env: [], volumeMounts: [] }],
    },
  });
  const given = pod();
  const { metadata, spec } = draftOf(given, ['completion', 'export']);
  (metadata?.annotations ?? {})['a'] = '2';
  for (const list of [spec.containers, spec.initContainers ?? []]) {
    for (const container of [...list]) {
      container.args?.push('b');
      container.env?.push({ name: 'A' });
      container.volumeMounts?.push({ name: 'keys', mountPath: '/keys' });
      container.image = 'other';
    }
    list.push({ name: 'other' });
  }
  spec.volumes?.push({ name: 'other' });
  t.same(given, pod());
});

t.test('what a draft is not going to be changed in is shared', async (t) => {
  const given: Pod = {
    spec: {
      volumes: [{ name: 'keys' }],
      containers: [{ name: 'completion' }],
      initContainers: [{ name: 'build' }, { name: 'export' }],
    },
  };
  const { spec } = draftOf(given, ['export']);
  t.equal(spec.volumes?.[0], given.spec.volumes?.[0]);
  t.equal(spec.containers[0], given.spec.containers[0]);
  t.equal(spec.initContainers?.[0], given.spec.initContainers?.[0]);
  t.not(spec.initContainers?.[1], given.spec.initContainers?.[1]);
});
