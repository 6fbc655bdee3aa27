/** What tells why something went wrong. */
import type { Scene } from './scene.ts';
import { NAMESPACE } from './installation.ts';

const LINES = 40;
/** Enough for what one story says of itself. */
const POD_LINES = 25;

/** The ends of the logs that matter. */
export async function lastWords(scene: Scene, buildNamespaces: readonly string[]): Promise<string> {
  const { cluster, notary } = scene;
  const ask = async (title: string, ...args: readonly string[]) => {
    const { stdout, stderr } = await cluster.tryKubectl(...args);
    return section(title, stdout + stderr, LINES);
  };
  const newest = buildNamespaces.at(-1);
  const ofBuild =
    newest === undefined
      ? []
      : [
          await ask(`events in ${newest}`, '-n', newest, 'get', 'events', '--no-headers'),
          section(`containers in ${newest}`, await containerLogs(scene, newest), LINES * 3),
        ];
  const complaints = cluster.services['kube-apiserver']
    ?.output()
    .split('\n')
    .filter((line) => /^[EWF]\d{4} /.test(line))
    .join('\n');
  return [
    ...ofBuild,
    await ask('our pods', '-n', NAMESPACE, 'get', 'pods', '-o', 'wide'),
    await ask('our events', '-n', NAMESPACE, 'get', 'events', '--no-headers'),
    await ask(
      'webhook',
      ...['-n', NAMESPACE, 'logs', '--prefix', `--tail=${LINES}`],
      ...['-l', 'app.kubernetes.io/component=webhook'],
    ),
    section('kube-apiserver', complaints ?? '', POD_LINES),
    section('notary-server', notary.output(), POD_LINES),
    section('kubelet', cluster.services['kubelet']?.output() ?? '', POD_LINES),
  ].join('\n');
}

async function containerLogs({ cluster }: Scene, namespace: string): Promise<string> {
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
