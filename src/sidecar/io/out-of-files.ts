/** The limit of the process, and that of the machine. */
const OUT_OF_FILES = new Set(['EMFILE', 'ENFILE']);

export const OUT_OF_FILES_FIX =
  'Raise the limit of open files: of the container (ulimit -n) for EMFILE, of the node for ENFILE.';

/** Whether the process, or the machine, may open no more files; a connection is one. */
export function isOutOfFiles(cause: unknown): boolean {
  return OUT_OF_FILES.has((cause as NodeJS.ErrnoException).code ?? '');
}
