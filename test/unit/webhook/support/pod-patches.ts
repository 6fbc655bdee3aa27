/** JSON patches of other webhooks, for the pod as it is when they are asked. */
import fastJsonPatch, { type Operation } from 'fast-json-patch';
import type { PodManifest } from '../../../support/build-fixture.ts';
import { SIGNER, type Container } from '../../../support/pod.ts';

/** A webhook of somebody else. Called again, it mostly leaves alone what it has done. */
export interface PodPatch {
  /** What was drawn for it. */
  readonly what: unknown;
  readonly answer: (pod: PodManifest) => readonly Operation[];
  /** Why a pod is refused that it has changed; undefined: it does no harm. */
  readonly harm?: Harm;
}

export interface Harm {
  readonly verdict: string;
  /** What the refusal has to name. */
  readonly names: string;
}

/** The pod after a patch, as the API server applies it. */
export function patchedPod(pod: PodManifest, operations: readonly Operation[]): PodManifest {
  const [copy, patch] = JSON.parse(JSON.stringify([pod, operations])) as [PodManifest, Operation[]];
  return fastJsonPatch.applyPatch(copy, patch, true).newDocument;
}

/** The pod after some, each asked about what those before it have made. */
export function afterPatches(pod: PodManifest, patches: readonly PodPatch[]): PodManifest {
  return patches.reduce((changed, { answer }) => patchedPod(changed, answer(changed)), pod);
}

export type Located = readonly [path: string, container: Container];

/** All containers of a pod, each with its path. */
export function located({ spec }: PodManifest): Located[] {
  const within = (list: Container[] | undefined, name: string) =>
    (list ?? []).map((each, i) => [`/spec/${name}/${i}`, each] as const);
  return [
    ...within(spec.initContainers, 'initContainers'),
    ...within(spec.containers, 'containers'),
  ];
}

export const ours = (pod: PodManifest) => located(pod).filter(([, { name }]) => name === SIGNER);
export const others = (pod: PodManifest) => located(pod).filter(([, { name }]) => name !== SIGNER);

export const has = (list: readonly { readonly name: string }[] | undefined, name: string) =>
  list?.some((each) => each.name === name) ?? false;

/** Puts something at some place of a list, which may not be there yet. */
export function insert(
  list: readonly unknown[] | undefined,
  path: string,
  value: unknown,
  pick: number,
) {
  return list
    ? ({ op: 'add', path: `${path}/${pick % (list.length + 1)}`, value } as const)
    : ({ op: 'add', path, value: [value] } as const);
}

/** Gives an object those of some members that it does not have. */
export function fill(object: object | undefined, path: string, members: object): Operation[] {
  const missing = Object.entries(members).filter(([key]) => !Object.hasOwn(object ?? {}, key));
  if (object && missing.length === 0) return [];
  const value = { ...object, ...Object.fromEntries(missing) };
  return [{ op: object ? 'replace' : 'add', path, value }];
}

export const addContainer = (
  { spec }: PodManifest,
  list: string,
  value: Container,
  pick: number,
) => {
  const given = list === 'containers' ? spec.containers : spec.initContainers;
  return insert(given, `/spec/${list}`, value, pick);
};
export const addVolume = ({ spec }: PodManifest, value: object, pick: number) =>
  insert(spec.volumes, '/spec/volumes', value, pick);
export const addMount = ([path, { volumeMounts }]: Located, value: object, pick: number) =>
  insert(volumeMounts, `${path}/volumeMounts`, value, pick);
export const addVariable = ([path, { env }]: Located, value: object, pick: number) =>
  insert(env, `${path}/env`, value, pick);

/** Every object of a pod that may have fields that nobody knows yet, with its path; ours left out. */
export function objectsOf(value: unknown, path = ''): [string, object][] {
  if (typeof value !== 'object' || value === null) return [];
  const { name = '' } = value as { name?: unknown };
  if (typeof name === 'string' && name.startsWith(SIGNER)) return [];
  const within = Object.entries(value)
    // Of the maps, all values are texts; the tests' own library patches nothing below __proto__.
    .filter(([key]) => !/^(?:labels|annotations|nodeSelector|requests|limits|__proto__)$/.test(key))
    .flatMap(([key, member]) =>
      objectsOf(member, `${path}/${fastJsonPatch.escapePathComponent(key)}`),
    );
  return Array.isArray(value) ? within : [[path, value], ...within];
}
