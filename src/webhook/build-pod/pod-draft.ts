import type { V1Container } from '@kubernetes/client-node';
import type { Pod } from './build-pod.ts';

/**
 * A copy of a pod that may be changed as far as injecting does: its annotations, the lists of its
 * volumes and containers, and arguments, variables and mounts of the containers that are named. All
 * else is shared with the original, so that comparing the two looks at little more than what was
 * changed.
 */
export function draftOf(pod: Pod, containers: readonly string[]): Pod {
  const { metadata, spec } = pod;
  const draft = Object.assign(copyOf(pod), { spec: copyOf(spec) });
  if (metadata) {
    draft.metadata = copyOf(metadata);
    if (metadata.annotations) draft.metadata.annotations = copyOf(metadata.annotations);
  }
  const drafted = (container: V1Container) =>
    containers.includes(container.name) ? containerDraft(container) : container;
  draft.spec.containers = spec.containers.map(drafted);
  if (spec.initContainers) draft.spec.initContainers = spec.initContainers.map(drafted);
  if (spec.volumes) draft.spec.volumes = [...spec.volumes];
  return draft;
}

function containerDraft(container: V1Container): V1Container {
  const draft = copyOf(container);
  if (container.args) draft.args = [...container.args];
  if (container.env) draft.env = [...container.env];
  if (container.volumeMounts) draft.volumeMounts = [...container.volumeMounts];
  return draft;
}

function copyOf<Value extends object>(value: Value): Value {
  return { ...value };
}
