/** What other webhooks may do to a pod with every right. */
import fc from 'fast-check';
import fastJsonPatch, { type Operation } from 'fast-json-patch';
import { changed, type PodManifest } from '../../../support/build-fixture.ts';
import { allContainers, SIGNER } from '../../../support/pod.ts';
import { afterOtherPlugins } from '../../../support/pod-changes.ts';
import {
  addContainer,
  addMount,
  addVariable,
  addVolume,
  fill,
  has,
  located,
  insert,
  objectsOf,
  ours,
  others,
  type Located,
  type PodPatch,
} from './pod-patches.ts';
import {
  confinements,
  containers,
  futureFields,
  podSecurityContexts,
  pullPolicies,
  resources,
  securityContexts,
  specFields,
  texts,
  variables,
  volumeSources,
} from './random-parts.ts';
import { changeSigner, HARMLESS, type SignerChange } from '../../../support/signer-changes.ts';

const picks = fc.nat(40);
const targets = fc.record({ who: fc.constantFrom('all', 'others', 'ours', 'one'), pick: picks });

/** The containers that a webhook is interested in. */
function aimedAt(pod: PodManifest, { who, pick }: { who: string; pick: number }): Located[] {
  if (who === 'ours') return ours(pod);
  if (who === 'others') return others(pod);
  const all = located(pod);
  return who === 'all' ? all : all.filter((_, i) => i === pick % all.length);
}

/** Of containers and of volumes. */
const names = fc.constantFrom('mesh', 'vault-agent', 'constructor', 'prototype', 'ca-certs', 'x');
/** Where something may be mounted in every container, ours among them. */
const directories = fc.constantFrom(
  ...['/mnt', '/etc/ssl/certs', '/etc/pki', '/platform/bindings', '/var/run/secrets/mesh'],
);

/** Certificates for the steps alone: in ours, some would hide the program, or what we mount. */
const trustNames = fc.constantFrom('SSL_CERT_FILE', 'SSL_CERT_DIR', 'UNKNOWN_CERT_FILE');
const stepMounts = fc.record(
  {
    name: fc.constant('layers-dir'),
    mountPath: fc.constantFrom(
      ...['/etc/ssl', '/etc/ssl/', '/etc/ssl/certs', '/etc/pki/tls/certs/ca.crt', '/var/run'],
      ...['/', '/app', '/usr/lib/ssl', '/var/notary-sign', '/var/build-secrets'],
    ),
    subPath: fc.constantFrom('ca', ''),
    subPathExpr: fc.constant('$(X)'),
    readOnly: fc.boolean(),
    mountPropagation: fc.constant('HostToContainer'),
  },
  { requiredKeys: ['name', 'mountPath'] },
);

function webhooks<Drawn>(
  drawn: fc.Arbitrary<Drawn>,
  answer: (pod: PodManifest, drawn: Drawn) => readonly Operation[],
): fc.Arbitrary<PodPatch> {
  return drawn.map((what) => ({ what, answer: (pod) => answer(pod, what) }));
}

const changesBy = (pod: PodManifest, change: SignerChange) =>
  fastJsonPatch.compare(
    pod,
    changed(pod, (copy) => changeSigner(copy, [change])),
  );

const containerMembers = fc.oneof(
  fc.record({ imagePullPolicy: pullPolicies }),
  fc.record({ resources }),
);

/** Nothing that another webhook could not do with every right. */
export const harmlessPatches: fc.Arbitrary<PodPatch> = fc.oneof(
  webhooks(
    fc.record({
      container: fc.tuple(names, containers).map(([name, each]) => ({ name, ...each })),
      where: fc.constantFrom('initContainers', 'containers', 'native sidecar'),
      pick: picks,
    }),
    (pod, { container, where, pick }) => {
      if (has(allContainers(pod), container.name)) return [];
      return where === 'native sidecar'
        ? [addContainer(pod, 'initContainers', { ...container, restartPolicy: 'Always' }, pick)]
        : [addContainer(pod, where, container, pick)];
    },
  ),
  webhooks(
    fc.record({
      name: names,
      source: volumeSources,
      directory: directories,
      target: targets,
      pick: picks,
    }),
    (pod, { name, source, directory, target, pick }) => {
      const mountPath = `${directory}/${name}`;
      const lacking = aimedAt(pod, target).filter(
        ([, { volumeMounts }]) => !volumeMounts?.some((mount) => mount.mountPath === mountPath),
      );
      return [
        ...(has(pod.spec.volumes, name) ? [] : [addVolume(pod, { name, ...source }, pick)]),
        ...lacking.map((each) => addMount(each, { name, mountPath }, pick)),
      ];
    },
  ),
  webhooks(
    fc.record({ mount: stepMounts, name: trustNames, pick: picks }),
    (pod, { mount, name, pick }) =>
      others(pod)
        .filter(
          ([, { env, volumeMounts = [] }]) =>
            !has(env, name) && !volumeMounts.some((each) => each.mountPath === mount.mountPath),
        )
        .flatMap((each) => [
          addMount(each, mount, pick),
          addVariable(each, { name, value: `${mount.mountPath}/x` }, pick),
        ]),
  ),
  webhooks(
    fc.record({ variable: variables, target: targets, pick: picks }),
    (pod, { variable, target, pick }) =>
      aimedAt(pod, target)
        .filter(([, { env }]) => !has(env, variable.name))
        .map((each) => addVariable(each, variable, pick)),
  ),
  webhooks(
    fc.record({ name: fc.constantFrom('NODE_OPTIONS', 'LD_PRELOAD', 'PATH'), pick: picks }),
    (pod, { name, pick }) =>
      others(pod)
        .filter(([, { env }]) => !has(env, name))
        .map((each) => addVariable(each, { name, value: 'x' }, pick)),
  ),
  webhooks(
    fc.record({ map: fc.constantFrom('labels', 'annotations'), texts }),
    (pod, { map, texts }) => fill(pod.metadata[map as 'labels'], `/metadata/${map}`, texts),
  ),
  webhooks(specFields, (pod, fields) => fill(pod.spec, '/spec', fields)),
  webhooks(podSecurityContexts, (pod, context) =>
    fill(pod.spec.securityContext, '/spec/securityContext', context),
  ),
  webhooks(fc.record({ members: containerMembers, target: targets }), (pod, { members, target }) =>
    aimedAt(pod, target).flatMap(([path]) =>
      Object.entries(members).map(([key, value]) => ({ op: 'add', path: `${path}/${key}`, value })),
    ),
  ),
  webhooks(
    fc.record({ confinement: confinements, target: targets }),
    (pod, { confinement, target }) =>
      aimedAt(pod, target).flatMap(([path, { securityContext }]) =>
        fill(securityContext, `${path}/securityContext`, confinement),
      ),
  ),
  // Defaults said aloud, and what confines ours further.
  webhooks(fc.constantFrom(...Object.entries(HARMLESS)), (pod, [, change]) =>
    ours(pod).length === 0 ? [] : changesBy(pod, change),
  ),
  webhooks(targets, (pod, target) =>
    aimedAt(pod, target).flatMap(([path, { securityContext }]) => {
      const drop = securityContext?.capabilities?.drop;
      if (!drop || drop.includes('KILL')) return [];
      return insert(drop, `${path}/securityContext/capabilities/drop`, 'KILL', 0);
    }),
  ),
  webhooks(securityContexts, (pod, context) =>
    others(pod).map(([path]) => ({ op: 'add', path: `${path}/securityContext`, value: context })),
  ),
  webhooks(targets, (pod, target) =>
    aimedAt(pod, target)
      .filter(([, { image = '' }]) => !image.startsWith('mirror/'))
      .map(([path, { image }]) => ({ op: 'add', path: `${path}/image`, value: `mirror/${image}` })),
  ),
  webhooks(fc.record({ from: picks, to: picks }), ({ spec: { volumes = [] } }, { from, to }) => {
    const place = (pick: number) => `/spec/volumes/${pick % volumes.length}`;
    return volumes.length === 0 ? [] : [{ op: 'move', from: place(from), path: place(to) }];
  }),
  // They start together, in whatever order they stand.
  webhooks(fc.record({ from: picks, to: picks }), ({ spec }, { from, to }) => {
    const place = (pick: number) => `/spec/containers/${pick % spec.containers.length}`;
    return [{ op: 'move', from: place(from), path: place(to) }];
  }),
  webhooks(fc.record({ isFirst: fc.boolean(), target: targets }), (pod, { isFirst, target }) =>
    aimedAt(pod, target)
      .filter(([, { name, args }]) => name !== SIGNER && !args?.includes('-log-level=debug'))
      .map(([path, { args }]) =>
        insert(args, `${path}/args`, '-log-level=debug', isFirst ? 0 : (args?.length ?? 0)),
      ),
  ),
  webhooks(fc.constant('defaults and plug-ins of the API server'), (pod) =>
    pod.spec.dnsPolicy === undefined
      ? [{ op: 'replace', path: '', value: afterOtherPlugins(pod) }]
      : [],
  ),
  webhooks(fc.record({ fields: futureFields, pick: fc.nat(400) }), (pod, { fields, pick }) => {
    const objects = objectsOf(pod);
    const [path, object] = objects[pick % objects.length] ?? ['', pod];
    return fill(object, path, fields);
  }),
);
