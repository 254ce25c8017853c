import type { Children } from '../children/children.ts';
import type { Ending } from '../children/ending.ts';
import type { StartConfig } from '../config.ts';
import type { StateFolder } from './state-folder.ts';

/** The context of every step of a start. */
export interface Site {
  config: StartConfig;
  folder: StateFolder;
  children: Children;
  ending: Ending;
}
