import { hostOf } from '../shared/notary-url.ts';
import { allContainers, type Pod } from './build-pod.ts';

/** A Secret with registry credentials that kpack has mounted for its own steps. */
export interface DockerSecret {
  /** The registry of a basic-auth Secret; a docker configuration names registries itself. */
  readonly host: string | undefined;
  /** The volume that holds it; its name depends on the version of kpack. */
  readonly volume: string;
  readonly mountPath: string;
}

const ARGUMENT = /^--?(?:(basic-docker)=([^=]+)=(.+)|docker(?:config|cfg)=([^=]+))$/;
/** The steps of kpack's own that are given registry credentials. */
const STEPS = ['prepare', 'rebase', 'completion'];
const DIRECTORY = '/var/build-secrets';

/** The docker Secrets of a pod, in the order in which kpack's arguments name them. */
export function dockerSecrets({ spec }: Pod): readonly DockerSecret[] {
  const secrets = new Map<string, DockerSecret>();
  for (const { name: step, args = [], volumeMounts = [] } of allContainers(spec)) {
    if (!STEPS.includes(step)) continue;
    // kpack's build-waiter has the whole command line of its step in one argument.
    for (const word of args.flatMap((arg) => arg.split(' '))) {
      const [, basic, basicSecret, registry = '', docker] = ARGUMENT.exec(word) ?? [];
      const secretName = basicSecret ?? docker;
      const host = basic === undefined ? undefined : hostOf(registry);
      if (secretName === undefined || (basic !== undefined && host === undefined)) continue;
      const mountPath = `${DIRECTORY}/${secretName}`;
      const mount = volumeMounts.find(
        (candidate) =>
          candidate.mountPath === mountPath &&
          spec.volumes?.find(({ name }) => name === candidate.name)?.secret?.secretName ===
            secretName,
      );
      if (mount) secrets.set(`${host}=${secretName}`, { host, volume: mount.name, mountPath });
    }
  }
  return [...secrets.values()];
}
