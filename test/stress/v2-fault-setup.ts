/** Places where one image after another gets a Notary Project signature with faults on the way. */
import { mkdtemp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { startBed } from '../bed/bed.ts';
import { createFaultProxy } from '../bed/fault-proxy.ts';
import type { GoTools } from '../bed/go-tools.ts';
import { pushImage } from '../bed/image.ts';
import { notationCli } from '../bed/notation-cli.ts';
import { initRepository, rootPins, secretOf } from '../bed/notary-repository.ts';
import { startOlareg } from '../bed/olareg.ts';
import { startTimestampServer } from '../bed/timestamp-server.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';
import { makeV2Secret } from '../support/v2-secret.ts';
import { signFirst, v1Doubts, type FaultSetup, type SignedTag } from './fault-setup.ts';

/**
 * Which signatures are made, and where signatures are listed: at docker-registry by a tag, at olareg by
 * the referrers API. v2 alone has timestamps.
 */
export const V2_SETUPS = {
  'v2 at docker-registry': { isBoth: false, hasApi: false },
  'v2 at olareg': { isBoth: false, hasApi: true },
  'both at docker-registry': { isBoth: true, hasApi: false },
  'both at olareg': { isBoth: true, hasApi: true },
} as const;
export type V2SetupName = keyof typeof V2_SETUPS;
export const V2_SETUP_NAMES = Object.keys(V2_SETUPS) as readonly V2SetupName[];

const REPOSITORY = 'demo/app';

/** Starts a setup; the old tag is signed by the signer itself, in a run without a fault. */
export async function startV2Setup(name: V2SetupName, tools: GoTools): Promise<FaultSetup> {
  const { isBoth, hasApi } = V2_SETUPS[name];
  const bed = await startBed({ signer: true, storage: 'postgres' });
  const { directory, authority } = bed;
  const faults = createFaultProxy(authority);
  const parts: { stop(): Promise<void> }[] = [faults];
  const stop = async (): Promise<void> => {
    await Promise.all(parts.map((part) => part.stop()));
    await bed.stop();
  };
  try {
    const registry = hasApi
      ? await startOlareg({ program: tools.olareg, directory })
      : bed.registry;
    if (hasApi) parts.push(registry);
    const gun = `${new URL(await faults.before('registry', registry.url)).host}/${REPOSITORY}`;
    const { v2Secret, root } = makeV2Secret();
    const stamps = isBoth
      ? undefined
      : await startTimestampServer({ directory: join(directory, 'tsa') });
    if (stamps) parts.push(stamps);
    const timestampFlags = stamps
      ? [
          `--v2-timestamp-url=${await faults.before('timestamps', stamps.url)}`,
          `--v2-timestamp-ca-file=${stamps.rootFile}`,
        ]
      : [];
    const v1 = isBoth ? await startV1() : undefined;
    const sign: FaultSetup['sign'] = ({ tag, sha256, length }, deadline, killer) =>
      runSigner({
        ...{ directory, v2Secret, ...v1?.settings },
        report: reportToml([`${gun}:${tag}`], sha256, length),
        args: [`--deadline=${deadline}`, ...timestampFlags],
        env: { SSL_CERT_FILE: authority.certificateFile },
        timeLimit: deadline * 1000 + 30_000,
        ...(killer && { killer }),
      });
    const judge = await notationCli({
      program: tools.notation,
      home: await mkdtemp(join(directory, 'notation-')),
      roots: [root],
      ...(stamps && { timestampRoots: [stamps.rootPem] }),
    });
    let images = 0;
    const newTag = async (): Promise<SignedTag> => {
      const tag = `t${(images += 1)}`;
      const where = { registryUrl: registry.url, repository: REPOSITORY, tags: [tag] };
      const { digest, size } = await pushImage({ ...where, content: `image ${images}` });
      return { tag, sha256: digest.replace('sha256:', ''), length: size };
    };
    const v2Doubts = async (tags: readonly SignedTag[]): Promise<readonly string[]> => {
      const doubts: string[] = [];
      for (const { tag, sha256 } of tags) {
        const { code, stderr } = await judge.verify(
          `${registry.host}/${REPOSITORY}@sha256:${sha256}`,
        );
        if (code !== 0) doubts.push(`notation verify, ${tag}: ${stderr}`);
      }
      return doubts;
    };
    const oldTag = await newTag();
    await signFirst(sign, oldTag);
    return {
      ...{ faults, oldTag, newTag, sign, stop },
      servers: { registry, ...(v1 && { notary: bed.notary }) },
      doubts: async (tags, part) => [
        ...(await v2Doubts(tags)),
        ...(v1 && part !== 'v2' ? await v1Doubts(bed, gun, v1.pins, tags) : []),
      ],
    };

    async function startV1() {
      const owner = await initRepository(bed, gun);
      const trust = dirname(owner.privateKeyDirectory);
      return {
        settings: {
          notaryUrl: await faults.before('notary', bed.notary.url),
          secret: await secretOf(bed, owner),
        },
        pins: await rootPins(trust, gun),
      };
    }
  } catch (error) {
    await stop();
    throw error;
  }
}
