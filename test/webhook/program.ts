/** The bundled program as it runs. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { projectDirectory } from '../fixture.ts';
import { SETTINGS } from './asking.ts';

export const PROGRAM = join(projectDirectory(), 'dist/webhook.cjs');
export const IMAGE_FLAG = `--signer-image=${SETTINGS.placement.image}`;

/** Waits until something is so; the test's own time limit ends it otherwise. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await pause(20);
}
