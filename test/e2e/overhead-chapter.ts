/** How much longer a signed build takes than the same build unsigned. */
import { prepareBuild, runBuild } from './build.ts';
import type { Scene } from './scene.ts';
import { byAnnotations, signed } from './signing-chapter.ts';
import type { Story } from './story.ts';

const FIXTURE = 'v0.17.2/01b-plain-git-default-tagging';
const PAIRS = 5;
/** What signing may add to a build, in seconds: the median of the pairs. */
const MOST_SECONDS = 1;

/** Builds the same in turn, without and with the label, one at a time, and compares. */
export async function overheadChapter(scene: Scene, story: Story): Promise<void> {
  story.chapter('The same build, unsigned and signed');
  await story.check('what signing adds', async () => {
    const rows: (readonly [unsigned: number, signed: number])[] = [];
    for (let pair = 1; pair <= PAIRS; pair++) {
      rows.push([
        await secondsOf(scene, `unsigned-${pair}`, {}),
        await secondsOf(scene, `signed-${pair}`, { 'notary.kpack.io/signing': 'enabled' }),
      ]);
    }
    story.tell(line('build', 'unsigned', 'signed', 'more'));
    rows.forEach(([without, withSigner], i) => {
      const more = withSigner - without;
      story.tell(line(String(i + 1), ...[without, withSigner, more].map(inSeconds)));
    });
    const more = median(rows.map(([without, withSigner]) => withSigner - without));
    const said = `${inSeconds(more)} more, the median of ${PAIRS}; at most ${inSeconds(MOST_SECONDS)}`;
    if (more > MOST_SECONDS) throw new Error(said);
    return said;
  });
}

async function secondsOf(
  scene: Scene,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<number> {
  await scene.namespace(name, labels);
  const options = { fixture: FIXTURE, name, change: byAnnotations };
  const ready = await prepareBuild(scene, options);
  const isSigned = Object.keys(labels).length > 0;
  const build = await runBuild(scene, ready, { isSigned });
  if (isSigned) await signed(scene, build);
  else if (build.phase !== 'Succeeded') throw new Error(`${name} ended ${build.phase}`);
  return build.milliseconds / 1000;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function inSeconds(value: number): string {
  return `${value.toFixed(2)} s`;
}

function line(...cells: readonly string[]): string {
  return cells.map((cell) => cell.padStart(10)).join('');
}
