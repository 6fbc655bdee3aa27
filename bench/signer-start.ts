/** How long the signer takes until it asks its server, and how long Node itself takes for that. */
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Authority } from '../test/bed/authority.ts';
import type { Bed } from '../test/bed/bed.ts';
import type { ProgramOptions } from '../test/bed/child.ts';
import { runCommand, succeed } from '../test/bed/command.ts';
import { interleave } from './interleaving.ts';
import { bundle } from './programs.ts';
import type { SigningRepository } from './signing-repository.ts';
import type { Measurement } from './table.ts';

/** How many times as long as the bare request the signer may take. */
const MOST_TIMES_BARE = 1.3;

/** Spawn to first request, against a bare request and against bare Node. */
export async function measureSignerStart(
  bed: Bed,
  repository: SigningRepository,
  rounds: number,
): Promise<Measurement> {
  const { directory } = bed;
  const bareRequest = await bundle('bare-request', directory);
  const server = await startTimedServer(bed.authority);
  try {
    const values = await interleave(rounds, {
      signer: async () =>
        untilRequest(
          server,
          await repository.signer(repository.newTargets(1), { notaryUrl: server.url }),
        ),
      bareRequest: () =>
        untilRequest(server, {
          program: process.execPath,
          args: [bareRequest, server.url, bed.authority.certificateFile],
          directory,
        }),
      bareNode: async () => {
        const started = performance.now();
        await succeed({ program: process.execPath, args: ['-e', '0'], directory });
        return performance.now() - started;
      },
    });
    return {
      title: 'Signer start, from spawn to first request',
      unit: 'ms',
      better: 'lower',
      subjects: [
        { name: 'signer', what: 'dist/signer.cjs', values: values.signer },
        {
          name: 'bare request',
          what: 'one request by node:https, bundled, same roots',
          values: values.bareRequest,
        },
        { name: 'bare node', what: 'node -e 0, to its exit', values: values.bareNode },
      ],
      ratios: [
        ['signer', 'bare request'],
        ['signer', 'bare node'],
      ],
      limits: { 'signer / bare request': MOST_TIMES_BARE },
    };
  } finally {
    await server.stop();
  }
}

/** A server that has nothing, and knows when it was asked. */
export interface TimedServer {
  readonly url: string;
  /** When the first request since the last call came, on the clock of `performance.now()`. */
  takeRequest(): number | undefined;
  stop(): Promise<void>;
}

/** Starts it on loopback. */
export async function startTimedServer(authority: Authority): Promise<TimedServer> {
  const { certificatePem: cert, keyPem: key } = await authority.issue({ name: 'timed-server' });
  let asked: number | undefined;
  const server = createServer({ cert, key }, (_, response) => {
    asked ??= performance.now();
    response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    takeRequest: () => {
      const taken = asked;
      asked = undefined;
      return taken;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Milliseconds from spawn to first request; resolves once the program has ended. */
export async function untilRequest(server: TimedServer, program: ProgramOptions): Promise<number> {
  const started = performance.now();
  const result = await runCommand(program);
  const asked = server.takeRequest();
  if (asked === undefined) {
    throw new Error(`no request came; the program said:\n${result.stdout}${result.stderr}`);
  }
  return asked - started;
}
