/** Script, run isolated: the story itself. Exit code 1 where anything in it does not hold. */
import { randomInt } from 'node:crypto';
import { isolated } from '../bed/isolation.ts';
import { absenceChapter } from './absence-chapter.ts';
import { coldStartChapter, uninstallChapter } from './cold-start-chapter.ts';
import { writeKustomization } from './installation.ts';
import { killChapter } from './kill-chapter.ts';
import { lastWords } from './logs.ts';
import { overheadChapter } from './overhead-chapter.ts';
import { rolloutChapter } from './rollout-chapter.ts';
import { startScene } from './scene.ts';
import { signingChapter } from './signing-chapter.ts';
import { startStory } from './story.ts';
import { tutorialChapter, tutorialShell } from './tutorial-chapter.ts';

/** Chapters that are asked for by name; all of them, where none is. */
const CHAPTERS = ['signing', 'overhead', 'rollout', 'kill', 'absence'] as const;

const args = process.argv.slice(2);
const [, webhookImage = '', signerImage = '', ...wanted] = args;
const story = startStory((namespace) => lastWords(scene, namespace));
story.chapter('A cluster of one node, a Notary server, two registries');
const scene = await startScene(isolated(args));
const { cluster } = scene;
for (const archive of [webhookImage, signerImage]) await cluster.containerd.importImage(archive);
story.tell(await cluster.kubectl('version').then(serverVersion));
const directory = await writeKustomization(cluster);
await coldStartChapter(scene, story, directory, randomInt(1, 1_000_000));
const shell = await tutorialShell(scene);
await tutorialChapter(scene, story, shell);
const chapters = {
  signing: signingChapter,
  overhead: overheadChapter,
  rollout: rolloutChapter,
  kill: killChapter,
  absence: absenceChapter,
};
for (const name of CHAPTERS) {
  if (wanted.length === 0 || wanted.includes(name)) await chapters[name](scene, story);
}
await uninstallChapter(scene, story, directory, shell);
console.log(`\n${story.held} held, ${story.failures.length} did not`);
for (const failure of story.failures) console.log(`  NOT OK ${failure}`);
process.exit(story.failures.length > 0 ? 1 : 0);

function serverVersion(text: string): string {
  return `Kubernetes ${/Server Version: (\S+)/.exec(text)?.[1]}, its node and its images are ready`;
}
