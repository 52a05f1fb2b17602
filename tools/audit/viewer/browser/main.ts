/**
 * The program of an export's page. The page starts it twice: in itself, and in a worker from the same text, so that it is
 * carried once.
 */
import { startPage } from './page.ts';
import { startWorker } from './worker.ts';

if (typeof document === 'undefined') startWorker();
else startPage();
