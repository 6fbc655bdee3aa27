/** How many admissions a second the webhook answers, and what it takes for each. */
import type { Bed } from '../test/bed/bed.ts';
import { admissionReview } from '../test/bed/webhook.ts';
import { buildFixture } from '../test/build-fixture.ts';
import { startAdmissionServers, type AdmissionServer } from './admission-servers.ts';
import { interleave } from './interleaving.ts';
import { createLoad } from './load.ts';
import { processorTime } from './process-figures.ts';
import type { Measurement, Subject } from './table.ts';

/** A build pod of kpack with Secrets for registry, git and Notary server. */
const FIXTURE = 'v0.17.2/02b-notary-registry-secrets';
const CONNECTIONS = [1, 16] as const;
const WHAT = {
  webhook: 'dist/webhook.cjs, reads a Kubernetes API over TLS',
  webhookOffline: 'dist/webhook.cjs, reads a directory of manifests',
  echo: 'bare node:https: parses the review, allows it',
};

type ServerName = keyof typeof WHAT;

/** What one turn of a server gave. */
interface Turn {
  /** Answers a second. */
  readonly rate: number;
  /** Microseconds of processor time an answer, of the server's own process. */
  readonly cost: number;
}

/** How long all this goes on. */
export interface AdmissionOptions {
  readonly rounds: number;
  /** Seconds of load on a server in each round. */
  readonly seconds: number;
}

/** Admissions of a build pod, against a server that only parses and allows. */
export async function measureAdmission(
  bed: Bed,
  { rounds, seconds }: AdmissionOptions,
): Promise<Measurement[]> {
  const fixture = buildFixture(FIXTURE);
  const body = JSON.stringify(admissionReview({ object: fixture.pod }));
  const servers = await startAdmissionServers(bed, fixture);
  const measurements: Measurement[] = [];
  try {
    for (const connections of CONNECTIONS) {
      const loads: ReturnType<typeof createLoad>[] = [];
      const turnOf = ({ url, pid }: AdmissionServer): (() => Promise<Turn>) => {
        const load = createLoad({ url, ca: bed.authority.certificatePem, body, connections });
        loads.push(load);
        return async () => {
          const before = processorTime(pid);
          const done = await load.run(seconds);
          const spent = processorTime(pid) - before;
          return { rate: done.answers / done.seconds, cost: (spent / done.answers) * 1e6 };
        };
      };
      const turns = await interleave<ServerName, Turn>(rounds, {
        webhook: turnOf(servers.webhook),
        webhookOffline: turnOf(servers.webhookOffline),
        echo: turnOf(servers.echo),
      }).finally(() => loads.forEach((load) => load.close()));
      measurements.push(...measurementsOf(turns, connections));
    }
  } finally {
    await servers.stop();
  }
  return measurements;
}

function measurementsOf(
  turns: Readonly<Record<ServerName, readonly Turn[]>>,
  connections: number,
): Measurement[] {
  const subjects = (figure: keyof Turn): Subject[] => {
    const subject = (server: ServerName, name: string): Subject => ({
      name,
      what: WHAT[server],
      values: turns[server].map((turn) => turn[figure]),
    });
    return [
      subject('webhook', 'webhook'),
      subject('webhookOffline', 'webhook, offline'),
      subject('echo', 'echo'),
    ];
  };
  const ratios = [
    ['webhook', 'echo'],
    ['webhook, offline', 'echo'],
  ] as const;
  const over = connections === 1 ? '1 connection' : `${connections} connections`;
  return [
    {
      title: `Admissions of a build pod over ${over}`,
      unit: 'a second',
      better: 'higher',
      subjects: subjects('rate'),
      ratios,
    },
    {
      title: `Processor time of these servers over ${over}`,
      unit: 'µs an admission',
      better: 'lower',
      subjects: subjects('cost'),
      ratios,
    },
  ];
}
