import { updateValidationPage } from './validation-page.ts';

await updateValidationPage();
