import { updateReadme } from './error-table.ts';

updateReadme();
