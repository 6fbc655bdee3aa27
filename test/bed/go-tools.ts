/**
 * The real `notation` command line, which judges signatures, and olareg, a registry of OCI 1.1: built
 * once from their Go modules.
 */
import { join } from 'node:path';
import { buildInTurn, goModule, type GoProgram } from './go-module.ts';
import { findProgram } from './installed.ts';

/** Absolute paths. */
export interface GoTools {
  readonly notation: string;
  readonly olareg: string;
}

const MODULES = {
  notation: 'github.com/notaryproject/notation',
  olareg: 'github.com/olareg/olareg',
} as const;
const NAMES = ['notation', 'olareg'] as const;

/**
 * Makes sure that both programs are there: builds them where they are not, and says so.
 *
 * @returns their paths, or why they cannot be had: `t.plan(0, missing)` skips a test aloud
 * @throws Error with Go's output when it cannot build them
 */
export async function goTools(): Promise<GoTools | { readonly missing: string }> {
  const module = goModule('go-tools');
  const lacking = () => NAMES.filter((name) => findProgram(name, module.cache) === undefined);
  if (lacking().length > 0) {
    if (findProgram('go') === undefined) {
      return { missing: 'there is no Go on PATH to build notation and olareg with' };
    }
    const programs = NAMES.map((name): GoProgram => {
      const source = `${MODULES[name]}/cmd/${name}`;
      return { name, source, version: module.versionOf(MODULES[name]), seconds: 30 };
    });
    await buildInTurn(module, () =>
      programs.filter(({ name }) => lacking().some((n) => n === name)),
    );
  }
  return { notation: join(module.cache, 'notation'), olareg: join(module.cache, 'olareg') };
}
