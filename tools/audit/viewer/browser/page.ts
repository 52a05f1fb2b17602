/** The page: gives the worker the copy that it carries, then the folder that is chosen, and shows what comes back. */
import type { Answer, Request, Verdict } from '../messages.ts';
import { showChain } from './chain-view.ts';
import { byId } from './dom.ts';
import { showFindings } from './findings-view.ts';
import { type ChosenFiles, droppedFiles, pickedFiles } from './folder-input.ts';
import { RecordView } from './record-view.ts';
import { RecordsView } from './records-view.ts';
import { showTimeline } from './timeline-view.ts';
import { VerdictView } from './verdict-view.ts';

/** Far above 20,000 records, their tiles and 200 heads; a page is bounded by nothing else before it is read. */
const MAX_CARRIED_BYTES = 2 ** 28;

/** Before anything of a folder is known. */
const NOTHING: Verdict = {
  isFolder: true,
  pin: '',
  failures: [],
  failureCount: 0,
  notices: [],
  epochs: [],
  timeline: null,
};

export function startPage(): void {
  const program = new Blob([byId('program').textContent], { type: 'text/javascript' });
  const worker = new Worker(URL.createObjectURL(program));
  const ask = (request: Request): void => worker.postMessage(request);
  const verdict = new VerdictView();
  const record = new RecordView();
  const records = new RecordsView({
    onQuery: (query) => ask({ kind: 'records', query }),
    onOpen: (position) => ask({ kind: 'record', position }),
    onClose: () => record.close(),
  });
  const show = (found: Verdict): void => {
    verdict.show(found);
    showFindings(found);
    showTimeline(found.timeline, (fromMs, toMs, category) => records.narrow(fromMs, toMs, category));
    showChain(found);
    record.close();
    records.open(found.epochs);
  };
  const clear = (): void => {
    showFindings(NOTHING);
    showTimeline(null, () => {});
    showChain(NOTHING);
    record.close();
    records.show([], null);
  };
  worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
    if (data.kind === 'verdict') show(data.verdict);
    else if (data.kind === 'progress') verdict.progress(data.what, data.done, data.all);
    else if (data.kind === 'records') records.show(data.rows, data.after);
    else if (data.kind === 'record') record.show(data.detail);
    else verdict.refuse(data.detail);
  });
  worker.addEventListener('error', ({ message }) => verdict.refuse(`the worker failed: ${message}`));

  const openFolder = (files: ChosenFiles): void => {
    clear();
    verdict.progress('reading the folder', 0, 0);
    ask({ kind: 'folder', files });
  };
  const picker = byId<HTMLInputElement>('folder');
  picker.addEventListener('change', () => {
    if (picker.files?.length) openFolder(pickedFiles(picker.files));
  });
  listenForDrop((files) => openFolder(files), verdict);
  addEventListener('beforeprint', () => {
    for (const details of document.querySelectorAll('details')) details.open = true;
  });
  void openCarried(ask, verdict);
}

function listenForDrop(onFiles: (files: ChosenFiles) => void, verdict: VerdictView): void {
  const over = (event: DragEvent): void => {
    event.preventDefault();
    document.body.classList.toggle('over', event.type === 'dragover');
  };
  for (const type of ['dragover', 'dragleave'] as const) addEventListener(type, over);
  addEventListener('drop', (event) => {
    over(event);
    if (!event.dataTransfer) return;
    droppedFiles(event.dataTransfer).then(onFiles, (thrown) => verdict.refuse(`the folder cannot be read: ${thrown}`));
  });
}

/** The copy in the page is gzip in base64. */
async function openCarried(ask: (request: Request) => void, verdict: VerdictView): Promise<void> {
  const text = byId('carried').textContent;
  if (text === '') return verdict.refuse('this page carries no export: choose the folder of one');
  try {
    const zipped = new Blob([Uint8Array.from(atob(text), (character) => character.charCodeAt(0))]);
    const stream = zipped.stream().pipeThrough(new DecompressionStream('gzip'));
    ask({ kind: 'carried', packed: await bounded(stream) });
  } catch (thrown) {
    verdict.refuse(`the copy in this page is damaged: ${(thrown as Error).message}`);
  }
}

/** All bytes of a stream; throws once there are more than a copy can have. */
async function bounded(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for (const reader = stream.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    bytes += value.length;
    if (bytes > MAX_CARRIED_BYTES) throw new RangeError(`it is packed from more than ${MAX_CARRIED_BYTES} bytes`);
    parts.push(new Uint8Array(value));
  }
}
