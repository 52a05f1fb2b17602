/** Every check that the program has. */
import type { Check } from '../check.ts';
import type { Implemented } from '../policy/lint.ts';
import { ACCESS_CHECKS } from './access.ts';
import { AUDIT_FAILURE_CHECKS } from './audit-failure.ts';
import { BUILD_CHECKS } from './build.ts';
import { IDENTITY_CHECKS } from './identity.ts';
import { IMAGE_ROOT_CHECKS } from './image-root.ts';
import { IMAGE_SETTING_CHECKS } from './image-settings.ts';
import { INTERFACE_CHECKS } from './interface.ts';
import { LIMIT_CHECKS } from './limits.ts';
import { LOG_CHECKS } from './log.ts';
import { NETWORK_CHECKS } from './network.ts';
import { PAYLOAD_CHECKS } from './payload.ts';
import { RECOVERY_CHECKS } from './recovery.ts';
import { TLS_CHECKS } from './tls.ts';

export const CHECKS: readonly Check[] = [
  ...BUILD_CHECKS,
  ...IMAGE_ROOT_CHECKS,
  ...IMAGE_SETTING_CHECKS,
  ...TLS_CHECKS,
  ...IDENTITY_CHECKS,
  ...ACCESS_CHECKS,
  ...INTERFACE_CHECKS,
  ...PAYLOAD_CHECKS,
  ...NETWORK_CHECKS,
  ...LIMIT_CHECKS,
  ...RECOVERY_CHECKS,
  ...AUDIT_FAILURE_CHECKS,
  ...LOG_CHECKS,
];

/** The sabotages of each check, by its id, for the linter. */
export const IMPLEMENTED: Implemented = new Map(CHECKS.map(({ id, sabotages }) => [id, Object.keys(sabotages)]));
