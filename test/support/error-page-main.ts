import { updateErrorPage } from './error-page.ts';

updateErrorPage();
