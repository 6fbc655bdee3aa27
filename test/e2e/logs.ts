/** What tells why something went wrong. */
import type { Environment } from './environment.ts';
import { NAMESPACE } from './installation.ts';

const LINES = 40;
/** Enough for what one report says of itself. */
const POD_LINES = 25;

/**
 * The ends of the logs that matter.
 *
 * @param namespace of the build that went wrong
 */
export async function lastWords(environment: Environment, namespace?: string): Promise<string> {
  const { cluster, notary } = environment;
  const ask = async (title: string, ...args: readonly string[]) => {
    const { stdout, stderr } = await cluster.tryKubectl(...args);
    // There is no DNS in this cluster, on purpose.
    const lines = (stdout + stderr).split('\n').filter((line) => !line.includes('ClusterDNS'));
    return section(title, lines.join('\n'), LINES);
  };
  const events = (where: string) => ['-n', where, 'get', 'events', '--no-headers'];
  const ofBuild =
    namespace === undefined
      ? []
      : [
          await ask(`events in ${namespace}`, ...events(namespace)),
          section(
            `containers in ${namespace}`,
            await containerLogs(environment, namespace),
            LINES * 3,
          ),
        ];
  const complaints = cluster.services['kube-apiserver']
    ?.output()
    .split('\n')
    .filter((line) => /^[EWF]\d{4} /.test(line));
  return [
    ...ofBuild,
    await ask('our pods', '-n', NAMESPACE, 'get', 'pods', '-o', 'wide'),
    await ask('our events', ...events(NAMESPACE)),
    await ask(
      'webhook',
      ...['-n', NAMESPACE, 'logs', '--prefix', `--tail=${LINES}`],
      ...['-l', 'app.kubernetes.io/component=webhook'],
    ),
    section('kube-apiserver', (complaints ?? []).join('\n'), POD_LINES),
    section('notary-server', requestsOf(notary.output()), LINES),
  ].join('\n');
}

/** What the notary-server was asked, and what it answered. */
function requestsOf(log: string): string {
  const lines = log.split('\n').flatMap((line) => {
    const part = (name: string) => new RegExp(`"${name}":"?([^",}]+)`).exec(line)?.[1];
    const status = part('http.response.status');
    if (status === undefined) return /"level":"(?:error|fatal)"/.test(line) ? [line] : [];
    return [`${part('http.request.method')} ${part('http.request.uri')} ${status}`];
  });
  return lines.join('\n');
}

async function containerLogs({ cluster }: Environment, namespace: string): Promise<string> {
  const names = await cluster.tryKubectl('-n', namespace, 'get', 'pods', '-o', 'name');
  const logs = [];
  for (const name of names.stdout.trim().split('\n')) {
    if (name === '') continue;
    const words = ['-n', namespace, 'logs', name, '--all-containers', '--prefix'];
    const { stdout, stderr } = await cluster.tryKubectl(...words, `--tail=${POD_LINES}`);
    logs.push(stdout + stderr);
  }
  return logs.join('\n');
}

function section(title: string, text: string, lines: number): string {
  const last = text.trimEnd().split('\n').slice(-lines);
  return [`--- ${title}`, ...last.map((line) => `    ${line.slice(0, 400)}`)].join('\n');
}
