/** What a run is given to look at besides the software of this folder: a configuration, an image, an export of the log. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import type { Arguments, OptionSpec } from '../lib/command.ts';
import { boardOf, readImage } from './image/image-file.ts';
import type { ImageView } from './image/image-view.ts';
import { BOARDS, type Subject } from './record.ts';
import { LiveRelay } from './scene/live-relay.ts';
import type { LogCopy } from './scene/log-copy.ts';
import { readLogExport } from './scene/log-export.ts';
import { type GivenConfig, ON_A_HOST, type Place, readRelayConfig } from './subject.ts';

const IMAGE_BOARDS = BOARDS.slice(1);

export const GIVEN_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  config: { type: 'string', value: 'FILE', help: 'relay.yaml under test (default: that of a new site)' },
  image: { type: 'string', value: 'FILE', help: 'image under test' },
  board: { type: 'string', value: 'BOARD', help: `what the image is for: ${IMAGE_BOARDS.join(', ')}` },
  relay: {
    type: 'string',
    multiple: true,
    value: 'ZONE=HOST',
    help: 'look at the relay of --config that listens there, instead of a twin, where no device is needed',
  },
  'relay-pin': { type: 'string', value: 'PIN', help: "pin of the relay's TLS key, for --relay" },
  log: { type: 'string', value: 'DIR', help: "export of the relay's audit log, to be looked at instead of a twin's" },
  'log-key': { type: 'string', value: 'PIN', help: "pin of the relay's log key, for --log" },
};

export interface Given {
  /** That of a new site when it is left out. */
  readonly config?: GivenConfig;
  readonly image?: ImageView;
  readonly log?: LogCopy;
  readonly live?: LiveRelay;
  /** On what the software runs. */
  readonly place: Place;
}

/** Reads all that is given; refuses `usage`, and what cannot be read or is of something else. */
export function readGiven(args: Arguments): Given {
  const path = args.text('config');
  const config = path === undefined ? undefined : readRelayConfig(path);
  const live = liveGiven(args, config);
  const image = imageGiven(args);
  const log = logGiven(args);
  return {
    ...(config ? { config } : {}),
    ...(live ? { live } : {}),
    ...(log ? { log } : {}),
    ...(image ? { image: image.view } : {}),
    place: image ? { board: image.board, imageDigest: image.view.sha256 } : ON_A_HOST,
  };
}

/** The image of --image, when it is one for --board. */
function imageGiven(args: Arguments): { readonly view: ImageView; readonly board: Subject['board'] } | undefined {
  const [file, name] = [args.text('image'), args.text('board')];
  if (file === undefined && name === undefined) return undefined;
  const board = IMAGE_BOARDS.find((each) => each === name);
  if (file === undefined || !board) {
    throw new Problem('usage', `--image and --board belong together; BOARD is one of ${IMAGE_BOARDS.join(', ')}`);
  }
  const view = readImage(file);
  const made = boardOf(view);
  if (made !== board && !board.startsWith(`${made}-`)) {
    throw new Problem('evidence-invalid', `${file} is for the board ${made}, not for ${board}`);
  }
  return { view, board };
}

/** The relay of --relay, whose listeners --config names and whose pin has to come another way. */
function liveGiven(args: Arguments, given: GivenConfig | undefined): LiveRelay | undefined {
  const [places, pin] = [args.texts('relay'), args.text('relay-pin')];
  if (places.length === 0) return undefined;
  if (!given || pin === undefined) throw new Problem('usage', '--relay needs --config and --relay-pin');
  return new LiveRelay(given.config.listeners, places, pin);
}

/** The export of --log, whose pin has to come another way. */
function logGiven(args: Arguments): LogCopy | undefined {
  const [folder, pin] = [args.text('log'), args.text('log-key')];
  if (folder === undefined) return undefined;
  if (pin === undefined) throw new Problem('usage', '--log needs --log-key: nothing of a log can be verified without');
  return readLogExport(nativeEngine, folder, pin);
}
