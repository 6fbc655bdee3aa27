/** What a requester writes costs no more than twice the work when it is twice as much. */
import t, { type Test } from 'tap';
import { parseReview } from '../../../../src/webhook/admission/admission.ts';
import { routeReview } from '../../../../src/webhook/admission/router.ts';
import { admissionReview, type ReviewOptions } from '../../../bed/webhook.ts';
import {
  buildFixture,
  type BuildFixture,
  changed,
  manifestsOf,
  type PodManifest,
} from '../../../support/build-fixture.ts';
import { inject, memoryCluster, SETTINGS } from '../../../support/asking.ts';
import { allContainers, container } from '../../../support/pod.ts';

/** How many of a thing there are, and how much more work twice as many may be. */
const COUNT = 150;
const MOST_GROWTH = 2.5;

/** A value that counts how often any part of it is looked at. */
function counted<Value extends object>(value: Value): { value: Value; looks: () => number } {
  let count = 0;
  const known = new WeakMap<object, object>();
  const wrap = (part: object): object => {
    const found = known.get(part);
    if (found) return found;
    const proxy = new Proxy(part, {
      get: (target, name) => {
        count++;
        const inner: unknown = Reflect.get(target, name);
        return typeof inner === 'object' && inner !== null ? wrap(inner) : inner;
      },
      has: (target, name) => {
        count++;
        return Reflect.has(target, name);
      },
      ownKeys: (target) => {
        count++;
        return Reflect.ownKeys(target);
      },
      getOwnPropertyDescriptor: (target, name) => {
        count++;
        return Reflect.getOwnPropertyDescriptor(target, name);
      },
    });
    known.set(part, proxy);
    return proxy;
  };
  return { value: wrap(value) as Value, looks: () => count };
}

/** The work of answering a review, in looks at what it carries. */
async function workFor(
  question: 'mutate' | 'validate',
  given: BuildFixture,
  options: ReviewOptions,
): Promise<number> {
  const body = JSON.parse(JSON.stringify(admissionReview(options))) as object;
  const { value, looks } = counted(body);
  const cluster = memoryCluster(manifestsOf(given));
  await routeReview(question, parseReview(value), { ...SETTINGS, cluster });
  return looks();
}

/** Work with so many of a thing, and with twice as many. */
async function growsLinearly(
  t: Test,
  what: string,
  work: (count: number) => Promise<number>,
): Promise<void> {
  const [once, twice] = [await work(COUNT), await work(2 * COUNT)];
  t.ok(once > COUNT, `${what}: ${once} looks`);
  t.ok(twice <= MOST_GROWTH * once, `${what}: ${once} looks, and ${twice} for twice as many`);
}

type Grow = (pod: PodManifest, names: readonly string[], given: BuildFixture) => void;

const SHAPES: Record<string, Grow> = {
  'Secrets for registries: words, mounts and volumes': (pod, names) => {
    const [step, last] = [container(pod, 'prepare'), container(pod, 'completion')];
    for (const name of names) {
      const word = `-basic-docker=${name}=${name}.example.com`;
      (pod.spec.volumes ??= []).push({ name, secret: { secretName: name } });
      for (const each of [step, last]) (each.args ??= []).push(word);
      const mount = { name, mountPath: `/var/build-secrets/${name}`, readOnly: true };
      (step.volumeMounts ??= []).push(mount);
    }
  },
  'CA certificates: mounts, and directories that a variable names': (pod, names) => {
    const step = container(pod, 'export');
    const value = names.map((name) => `/certificates/${name}`).join(':');
    (step.env ??= []).push({ name: 'SSL_CERT_DIR', value });
    for (const name of names) {
      (pod.spec.volumes ??= []).push({ name, emptyDir: {} });
      (step.volumeMounts ??= []).push(
        { name, mountPath: `/etc/ssl/${name}` },
        { name, mountPath: `/certificates/${name}/x` },
      );
    }
  },
  variables: (pod, names) => {
    for (const { env = [] } of allContainers(pod)) {
      for (const name of names) env.push({ name, value: name });
    }
  },
  'containers with arguments': (pod, names) => {
    for (const name of names) {
      const other = { name, image: 'x', args: [name], env: [{ name, value: name }] };
      (pod.spec.initContainers ??= []).unshift(other);
    }
  },
  'volumes of the node and of Secrets': (pod, names) => {
    for (const name of names) {
      (pod.spec.volumes ??= []).push(
        { name, hostPath: { path: `/data/${name}` } },
        { name: `${name}-secret`, projected: { sources: [{ secret: { name } }] } },
      );
    }
  },
  'credentials for the Notary server': (_, names, given) => {
    given.serviceAccount.secrets = names
      .slice(0, Math.floor(names.length * 0.6))
      .map((name) => ({ name }));
    given.secrets.push(
      ...names.map((name) => ({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name,
          namespace: 'apps',
          annotations: { 'kpack.io/notary.v1': 'notary.example.com:4443' },
        },
        data: {},
      })),
    );
  },
};

for (const fixture of [
  'v0.17.2/02b-notary-registry-secrets',
  'v0.17.2/07b-standard-containers-notary',
]) {
  for (const [what, grow] of Object.entries(SHAPES)) {
    t.test(`${what}, ${fixture}`, async (t) => {
      const grown = (count: number) => {
        const given = buildFixture(fixture);
        grow(
          given.pod,
          Array.from({ length: count }, (_, i) => `x${i}`),
          given,
        );
        return given;
      };
      await growsLinearly(t, 'mutate', async (count) => {
        const given = grown(count);
        return workFor('mutate', given, { object: given.pod });
      });
      await growsLinearly(t, 'validate', async (count) => {
        const given = grown(count);
        return workFor('validate', given, { object: await inject(given) });
      });
      await growsLinearly(t, 'an update', async (count) => {
        const given = grown(count);
        const oldObject = await inject(given);
        const object = changed(oldObject, ({ metadata }) => {
          metadata.annotations = { ...metadata.annotations, other: 'x' };
        });
        return workFor('validate', given, { object, oldObject, operation: 'UPDATE' });
      });
    });
  }
}

t.test('what people write about an Image', async (t) => {
  const shapes: Record<string, (names: readonly string[]) => Record<string, string>> = {
    'unknown annotations': (names) =>
      Object.fromEntries(names.map((name) => [`notary.kpack.io/v1.${name}`, name])),
    'annotations of others': (names) => Object.fromEntries(names.map((name) => [name, name])),
    pins: (names) => ({ 'notary.kpack.io/v1.rootPin': names.join(',') }),
  };
  for (const [what, annotationsOf] of Object.entries(shapes)) {
    const work = (count: number) => {
      const given = buildFixture();
      const annotations = annotationsOf(Array.from({ length: count }, (_, i) => `x${i}`));
      const metadata = { ...given.image?.metadata, annotations };
      const object = { ...given.image, metadata };
      return workFor('validate', given, { object, username: 'developer' });
    };
    const [once, twice] = [await work(COUNT), await work(2 * COUNT)];
    t.ok(twice <= MOST_GROWTH * once, `${what}: ${once} looks, and ${twice} for twice as many`);
  }
});
