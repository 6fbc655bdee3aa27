import { setTimeout as wait } from 'node:timers/promises';
import {
  failedReceipt,
  receiptOf,
  type Receipt,
  type RepositoryReceipt,
} from '../shared/receipt.ts';
import { SigningError } from '../shared/signing-error.ts';
import { registryCredentials } from './auth/registry-credentials.ts';
import { createConnectionLimit } from './http/connection-limit.ts';
import { createHttpClient, type HttpClient } from './http/http-client.ts';
import { readProxySettings, type Environment } from './http/proxy-settings.ts';
import { readEnvironmentRoots } from './http/server-trust.ts';
import { findImage } from './image/find-image.ts';
import { planSigning } from './image/signing-plan.ts';
import type { Log } from './io/log.ts';
import type { Memory } from './io/memory.ts';
import { waitForStep } from './io/step-file.ts';
import { createSteps } from './io/steps.ts';
import { loadJose } from './keys/jose-signature.ts';
import { readCaFile } from './keys/secret-directory.ts';
import { signRepositories } from './signatures.ts';
import type { SignerOptions } from './signer-options.ts';

/** What a run takes from its surroundings. */
export interface RunPorts {
  readonly now: () => Date;
  readonly log: Log;
  /** Aborts, with a SigningError, when the pod is being stopped. */
  readonly stop: AbortSignal;
  readonly memory: Memory;
  /** Of proxies and CA certificates. */
  readonly environment: Environment;
}

/**
 * One run of the signer: the step before it, report, keys, then every repository. Failures are in the
 * receipt; what is thrown is a mistake in this code.
 */
export async function runSigner(options: SignerOptions, ports: RunPorts): Promise<Receipt> {
  const source = 'report' in options.source ? 'report' : 'registry';
  const end = new AbortController();
  const clients: HttpClient[] = [];
  let timer: NodeJS.Timeout | undefined;
  try {
    if (options.stepFiles.waitFile !== undefined) {
      ports.log.step(`waiting for ${options.stepFiles.waitFile}`);
    }
    await waitForStep(options.stepFiles, ports.stop);
    timer = setTimeout(() => {
      const what = `signing took longer than ${options.deadline} seconds`;
      end.abort(new SigningError('DEADLINE_EXCEEDED', what));
    }, options.deadline * 1000);
    const signal = AbortSignal.any([ports.stop, end.signal]);
    return receiptOf(source, await signAll(options, ports, signal, clients));
  } catch (error) {
    if (!(error instanceof SigningError)) throw error;
    return failedReceipt(source, error);
  } finally {
    clearTimeout(timer);
    // What goes on beside what failed would try again, and say so after the last line.
    end.abort(new SigningError('TERMINATED', 'the run has ended'));
    for (const client of clients) client.close();
  }
}

/** @param clients gets every HTTP client that is opened */
async function signAll(
  options: SignerOptions,
  { now, log, memory, environment }: RunPorts,
  signal: AbortSignal,
  clients: HttpClient[],
): Promise<readonly RepositoryReceipt[]> {
  const ends = performance.now() + options.deadline * 1000;
  const pause = (milliseconds: number) => pauseUntil(ends, milliseconds, signal);
  const environmentRoots = await readEnvironmentRoots(environment, log);
  const registryRoots = await Promise.all(options.registryCaFiles.map(readCaFile));
  const proxy = readProxySettings(environment);
  const connections = createConnectionLimit();
  const openClient = (ca: readonly string[]) => {
    const client = createHttpClient({
      ...{ ca, proxy, signal, connections },
      whileWaiting: () => void loadJose(),
    });
    clients.push(client);
    return client;
  };
  const registry = registryCredentials(options.registryCredentials, log);
  let registryClient: HttpClient | undefined;
  const registryHttp = () =>
    (registryClient ??= openClient([...registryRoots, ...environmentRoots]));
  const registryAccess = { http: registryHttp, credentials: registry, signal, pause, log };

  const image = await findImage(options, registryAccess);
  const plan = planSigning(image.tags, image.manifest);
  for (const { gun, targets } of plan) {
    const tags = targets.map(({ tag }) => tag).join(', ');
    log.step(`${gun}: ${tags} at sha256:${image.manifest.sha256} (${image.manifest.length} bytes)`);
  }

  const { dryRun, signatures } = options;
  const context = {
    ...{ now, log, memory, pause, dryRun, steps: createSteps(signal) },
    ...{ environmentRoots, openClient, registry, registryHttp, registryAccess },
  };
  return signRepositories(signatures, plan, context);
}

/**
 * @param ends when the deadline is, on the clock of `performance`
 * @returns false, at once, where the pause would last longer
 * @throws the reason of the signal, when that comes first
 */
async function pauseUntil(ends: number, milliseconds: number, signal: AbortSignal) {
  if (performance.now() + milliseconds >= ends) return false;
  await wait(milliseconds, undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
  return true;
}
